/** One's identity on another device: the link and the code for it, shown when asked for, and the question when one comes. Loaded with mine.js. */

import { button, el, store } from './dom.js';
import { codeOf, keyOf, linkOf } from './identity.js';

/** How much of a comment shows whose an identity is. */
const QUOTE_CHARS = 80;

export class Device {
  #panel;
  #thread;
  #own;

  /** `own` says the texts of mine.js; `level` is that of its heading. */
  constructor(panel, thread, own, level) {
    this.#panel = panel;
    this.#thread = thread;
    this.#own = own;
    const submit = (event) => {
      event.preventDefault();
      this.receive(this.field.value);
    };
    this.secret = el('div', { class: 'secret' });
    this.field = el('input', { class: 'enter', autocomplete: 'off', autocapitalize: 'off', spellcheck: 'false', dir: 'ltr' });
    this.error = el('p', { class: 'error', role: 'alert' });
    this.section = el('section', { class: 'device', 'aria-label': own('device') },
      el(`h${Math.min(6, level)}`, {}, own('device')), this.secret,
      el('form', { class: 'bring', novalidate: '', submit }, el('label', {}, own('enter'), this.field), el('button', { class: 'take' }, own('use'))),
      this.error);
    this.question = el('div', { class: 'question' });
  }

  /** Hides link and code again: whoever comes to this screen later has to ask for them. */
  cover() {
    const { key } = this.#thread.me;
    this.error.textContent = this.field.value = '';
    this.secret.hidden = !key;
    this.secret.replaceChildren(el('p', {}, this.#own('secret')), button('take', () => this.#reveal(), this.#own('reveal')));
  }

  #reveal() {
    const { key } = this.#thread.me;
    const shown = [['link', linkOf(key, this.#thread)], ['code', codeOf(key, this.#thread)]].map(([what, value]) => {
      const field = el('textarea', { class: 'enter', rows: what === 'code' ? 2 : 1, readonly: '', dir: 'ltr', focus: ({ target }) => target.select() }, value);
      const copy = button('take', () => navigator.clipboard.writeText(value).then(() => {
        copy.textContent = this.#own('clipped');
      }).catch(() => field.focus()), this.#own('clip'));
      copy.ariaLabel = `${this.#own('clip')}: ${this.#own(what)}`;
      return el('div', { class: 'bring' }, el('label', {}, this.#own(what), field), copy);
    });
    this.secret.replaceChildren(this.secret.firstChild, ...shown);
    shown[0].querySelector('.enter').focus();
    this.secret.scrollIntoView({ block: 'nearest' });
  }

  /** A code or link has come: asks, or says why not. */
  receive(typed) {
    const key = keyOf(typed, this.#thread);
    if (key && key !== this.#thread.me.key) return this.#propose(key);
    if (!this.#panel.dialog.open || this.section.hidden) this.#panel.open();
    this.error.textContent = this.#own(key ? 'same' : 'wrong');
    this.field.focus();
    this.error.scrollIntoView({ block: 'nearest' });
    return undefined;
  }

  #propose(key) {
    this.#panel.show(this.#own('ask_use'), true);
    this.#panel.said.textContent = this.#own('loading');
    const whose = el('p', { class: 'whose', dir: 'auto' });
    const no = button('take', () => this.#panel.dialog.close(), this.#own('no'));
    const yes = button('send', () => this.#look(key, whose).then((known) => known && this.#use(key, known)), this.#own('use_it'));
    const lost = this.#thread.me.key ? [el('p', { class: 'warn' }, this.#own('replaces'))] : [];
    this.question.replaceChildren(el('p', {}, this.#own('what')), whose, ...lost, el('div', { class: 'does' }, yes, no));
    no.focus();
    this.#look(key, whose);
  }

  /** Whose it is, as far as the server knows: `{author, name}` of its newest comment. */
  #look(key, whose) {
    whose.known ??= this.#panel.try(async (signal) => {
      const { comments: [line] } = await this.#panel.patiently('GET', { limit: 1 }, { signal, me: { key } });
      this.#panel.said.textContent = '';
      const content = Array.from(line?.content ?? '');
      const words = content.slice(0, QUOTE_CHARS).join('') + (content.length > QUOTE_CHARS ? '…' : '');
      whose.textContent = line ? this.#own('whose', { name: this.#thread.nameOf(line), words }) : this.#own('silent');
      return { author: line?.author, name: line?.name };
    }).then((known) => {
      if (!known) whose.known = undefined;
      return known;
    });
    return whose.known;
  }

  #use(key, { author, name = '' }) {
    const thread = this.#thread;
    const { main, said, me: before } = thread;
    const kept = thread.key('me');
    store.set(kept, JSON.stringify({ key, name, author }));
    main.name.value = name;
    // As another tab would hear of it; so do all that are in this one.
    dispatchEvent(new StorageEvent('storage', { key: kept }));
    // Before there is a connection nobody hears it.
    if (!thread.writer) {
      const isOther = ({ line }) => line.author && [author, before.author].includes(line.author);
      for (const entry of [...thread.entries.values()].filter(isOther)) thread.redraw(entry, entry.line);
      thread.tidy();
    }
    this.#panel.dialog.close();
    said.textContent = this.#own('used');
  }
}
