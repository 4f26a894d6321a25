/** Asks for the token, once for a tab. */

import { el } from '../widget/dom.js';
import * as api from './api.js';
import { session } from './session.js';
import { text } from './texts.js';

/** `done()` when one is taken; `words` say why it is asked for. */
export function askToken(done, words = '') {
  const field = el('input', { type: 'password', name: 'token', autocomplete: 'current-password', required: '',
    'aria-label': text('token'), 'aria-describedby': 'token-hint', placeholder: text('token') });
  const error = el('p', { class: 'warned', role: 'alert' }, words);
  const go = el('button', { class: 'primary' }, text('signIn'));
  const submit = async (event) => {
    event.preventDefault();
    session.token = field.value.trim();
    go.disabled = true;
    try {
      await api.bans();
      done();
    } catch (refusal) {
      session.token = '';
      error.textContent = refusal.message;
      field.select();
    } finally {
      go.disabled = false;
    }
  };
  document.title = `${text('signIn')} · sayso`;
  document.body.replaceChildren(el('main', { class: 'sign-in' }, el('form', { submit },
    el('h1', {}, 'sayso'), el('p', { class: 'quiet' }, location.host), field, go, error, el('p', { class: 'quiet', id: 'token-hint' }, text('signInHint')))));
  field.focus();
}
