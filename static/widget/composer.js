/** A field that one writes in: it counts, grows, shows a preview and says what is wrong. Knows no connection. */

import { button, el, rich } from './dom.js';

const CONTENT_BYTES_MAX = 8192;
const LEFT_SHOWN = 500;
const LEFT_NEAR = 100;
/** ms */
const ANSWER_WAIT = 20_000;

const bytes = (string) => new TextEncoder().encode(string).length;
const GROWS = CSS.supports('field-sizing', 'content');

export class Composer {
  /** `fields` are those of frame.js; `does` is what follows: `send`, and where there is any `cancel`, `change`, `typing`, `before`. */
  constructor(thread, fields, does) {
    const { text, base } = thread;
    Object.assign(this, fields, { thread, text, base, does });
    this.look = button('look', () => this.#look(), text('preview'));
    this.aide.after(this.look);
    this.aide.ariaExpanded = 'false';
    this.aide.addEventListener('click', () => this.#help());
    const pressed = (event) => this.#pressed(event);
    this.input.addEventListener('input', () => this.#changed());
    this.input.addEventListener('keydown', pressed);
    this.name.addEventListener('keydown', pressed);
    this.form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.submit();
    });
    this.#changed(true);
  }

  get value() {
    return this.input.value;
  }

  set value(value) {
    this.input.value = value;
    if (this.shown) this.#show();
    this.#changed();
  }

  complain(words) {
    this.sent = false;
    this.error.textContent = words;
    this.form.classList.toggle('bad', words !== '');
    this.input.ariaInvalid = words ? 'true' : null;
    this.input.ariaDescribedByElements = words ? [this.error] : null;
  }

  #changed(isFirst) {
    if (!GROWS) {
      this.input.style.height = 'auto';
      this.input.style.height = `${this.input.scrollHeight}px`;
    }
    const { text, value } = this;
    const isEmpty = !value.trim();
    const left = CONTENT_BYTES_MAX - bytes(value.trim());
    this.hint.textContent = left < 0 ? text('over', { n: -left }) : left < LEFT_SHOWN ? text('left', { n: left }) : '';
    this.hint.classList.toggle('near', left < LEFT_NEAR);
    this.look.hidden = isEmpty;
    this.hint.hidden = left >= LEFT_SHOWN;
    if (isFirst) return;
    if (this.error.textContent) this.complain('');
    this.does.change?.(value);
    if (!isEmpty && this.input.matches(':focus')) this.does.typing?.();
  }

  async #help() {
    const made = this.aid ? undefined : await import('./help.js').then(({ help }) => help(this.text)).catch(() => {});
    this.aid?.remove();
    this.aid = made;
    if (made) this.aide.parentElement.after(made);
    this.aide.ariaExpanded = String(Boolean(made));
  }

  /** The server's own rendering, the only one there is. */
  async #look() {
    if (this.shown) return this.#show();
    const content = this.#checked();
    if (content === undefined) return;
    const { html, words } = await this.#ask(content).catch(() => ({ words: this.text('notLive') }));
    // What has been changed meanwhile is not what was asked about.
    if (content !== this.value.trim() || this.shown) return;
    if (words) return this.complain(words);
    const built = rich(html);
    // As it will be: plain text keeps its spaces.
    const plain = built.querySelector(':not(br)') ? '' : ' plain';
    this.#show(el('div', { class: `text${plain} preview`, dir: 'auto', tabindex: 0 }, built));
  }

  async #ask(content) {
    const answer = await fetch(`${this.base}/api/preview`, {
      method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ content }),
      signal: AbortSignal.timeout(ANSWER_WAIT),
    });
    const said = await answer.json();
    return said.error ? { words: (await this.thread.writer.inWords(said))(said.retry_after) } : said;
  }

  /** Instead of the field, until one writes on. */
  #show(shown) {
    this.shown?.remove();
    this.shown = shown;
    if (shown) this.input.before(shown);
    this.input.hidden = Boolean(shown);
    this.look.textContent = this.text(shown ? 'write' : 'preview');
    (shown ?? this.input).focus();
  }

  #pressed(event) {
    if (event.isComposing) return;
    // What has been typed is thrown away by a button alone.
    if (event.key === 'Escape' && this.value === (this.does.before ?? '')) this.does.cancel?.();
    if (event.key !== 'Enter' || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    this.submit();
  }

  submit() {
    const content = this.#checked();
    if (content === undefined) return;
    this.complain('');
    this.does.send(content, this.name.value.trim());
  }

  /** What is written, unless it is too little or too much, which is said. */
  #checked() {
    const content = this.value.trim();
    const size = bytes(content);
    if (content && size <= CONTENT_BYTES_MAX) return content;
    this.complain(this.text(content ? 'long' : 'missing', { bytes: size, max: CONTENT_BYTES_MAX }));
    this.input.focus();
    return undefined;
  }
}
