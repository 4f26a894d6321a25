/** The mark beside a name that the host page vouches for. Loaded by moderation.js and user.js. */

import { el } from './dom.js';
import { learn } from './texts.js';

const TEXTS = {
  verified: 'Verified',
};
learn(TEXTS);

export const verified = (text) => el('span', { class: 'mark verified', title: text('verified') },
  el('span', { 'aria-hidden': true }, '✓'), el('span', { class: 'unseen' }, text('verified')));
