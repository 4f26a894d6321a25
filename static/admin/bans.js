/** Who is banned or on hold, and lifting it. Knows no comment. */

import { avatar } from '../widget/view.js';
import { button, el } from '../widget/dom.js';
import * as api from './api.js';
import { complain } from './actions.js';
import { app, emit, on } from './app.js';
import { glance, untilWhen } from './author.js';
import { toast } from './toast.js';
import { text } from './texts.js';

/** Being lifted: by author or address. */
const lifting = new Set();
/** By author, where a name may come. */
const named = new Map();

/** Fills the view with them. */
export async function showBans(into) {
  let found;
  try {
    ({ bans: found } = await api.bans());
  } catch (error) {
    into.replaceChildren(el('p', { class: 'calm' }, error.message));
    return;
  }
  if (app.queue.view.kind !== 'banned') return;
  into.replaceChildren(found.length ? el('ul', { class: 'bans' }, ...found.map(item)) : el('p', { class: 'calm' }, text('calmBans')));
}

function item(ban) {
  const key = ban.author ?? ban.address;
  const nameOf = () => (ban.author ? glance(ban.author, true)?.name || ban.author.slice(0, 8) : text('address'));
  const name = nameOf();
  const state = `${text(ban.hold ? 'onHoldNow' : 'bannedNow')} ${untilWhen(ban.until)}`;
  const at = Date.parse(ban.created_at);
  const who = ban.author ? el('a', { href: `#author=${encodeURIComponent(key)}` }, name) : el('span', {}, name);
  if (ban.author) named.set(ban.author, () => {
    who.textContent = nameOf();
  });
  const lift = button('act', () => {
    lifting.add(key);
    lift.disabled = true;
    lift.textContent = text('lifting');
    toast(text('one', { what: text('done_lift'), quote: who.textContent }), {
      undo() {
        lifting.delete(key);
        emit('bans');
      },
      // There is no banning an address again: so it is lifted only when that can no longer be taken back.
      final(isLeaving) {
        api.lift(key, false, isLeaving).catch((error) => complain([error])).finally(() => {
          lifting.delete(key);
          emit('bans');
        });
      },
    });
  }, text(lifting.has(key) ? 'lifting' : 'lift'));
  lift.disabled = lifting.has(key);
  return el('li', {}, avatar(ban.author ?? '', ban.name), el('div', {}, el('strong', {}, who), el('p', { class: 'quiet' }, state,
    ...ban.by ? [` · ${ban.by}`] : [], ...at ? [` · ${text.ago(at)}`] : [])), lift);
}

on('author', (who) => named.get(who)?.());
on('bans', () => {
  named.clear();
  if (app.queue?.view.kind === 'banned') emit('reload');
});
