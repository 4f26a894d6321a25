/** The field in which a moderator edits a comment or answers it. Knows not where it stands. */

import { button, el } from '../widget/dom.js';
import { answer, complain, edit } from './actions.js';
import { emit } from './app.js';
import { stateOf } from './model.js';
import { toast } from './toast.js';
import { text } from './texts.js';

const newNonce = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');

/** Opens it in an entry; `done(entry)` when it is closed. */
export function compose(entry, verb, done) {
  const nonce = newNonce();
  let seen = entry.line.seq;
  const isEdit = verb === 'edit';
  const field = el('textarea', { rows: 3, 'aria-label': text(isEdit ? 'content' : 'reply'), dir: 'auto',
    placeholder: isEdit ? undefined : text('reply') });
  field.value = isEdit ? entry.line.content : '';
  const close = () => {
    entry.composer = null;
    if (entry.row) entry.row.style.minHeight = '';
    emit('changed', entry);
    done(entry);
  };
  const go = el('button', { class: 'primary', type: 'submit' }, text(isEdit ? 'save' : stateOf(entry) === 'pending' ? 'approveAndSend' : 'send'));
  const submit = async (event) => {
    event.preventDefault();
    const content = field.value.trim();
    if (!content || isEdit && content === entry.line.content) return close();
    go.disabled = true;
    try {
      const isDone = isEdit ? await edit(entry, content, seen) : await answer(entry, content, nonce);
      if (isDone !== false) close();
    } catch (error) {
      if (error.said?.code === 'changed_meanwhile' && error.said.line) {
        const { note, flags, ...line } = error.said.line;
        entry.line = line;
        seen = line.seq;
        toast(text('changedAsk'), { isBad: true });
        // What was typed stays, beside what is there now.
        entry.composer.dataset.hides = '';
        entry.isChanged = true;
        emit('changed', entry);
      } else complain([error]);
    } finally {
      go.disabled = false;
    }
    return undefined;
  };
  const keydown = (event) => {
    if (event.key === 'Escape') close();
    else if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) entry.composer.requestSubmit();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  entry.composer = el('form', { class: 'compose', submit, keydown, 'data-hides': isEdit ? 'text' : '' },
    field, el('div', { class: 'bar-end' }, button('', close, text('cancel')), go));
  emit('changed', entry);
  field.focus();
}
