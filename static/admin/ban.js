/** Asks how somebody is to be kept away: whom, for how long, and whether what is there goes too. */

import { button, el } from '../widget/dom.js';
import { ban } from './actions.js';
import { close, show } from './dialog.js';
import { nameOf } from './model.js';
import { toast } from './toast.js';
import { text } from './texts.js';

const DAY = 86_400;
/** s; nothing is for ever. */
const TERMS = [['day', DAY], ['week', 7 * DAY], ['month', 30 * DAY], ['ever', undefined]];

const choice = (type, name, label, attributes = {}) => el('label', { class: 'choice' }, el('input', { type, name, ...attributes }), label);

/** For the authors of these comments, each once. */
export function askBan(entries, from, isHold = false) {
  const authors = [...new Map(entries.filter(({ line }) => line.author).map((entry) => [entry.line.author, entry])).values()];
  if (!authors.length) return toast(text('noAuthor'), { isBad: true });
  const names = authors.map(nameOf);
  const label = authors.length > 1 ? text('banMany', { n: authors.length }) : text('banTitle', { name: names[0] });
  const terms = el('select', { name: 'term', 'aria-label': text('howLong') }, ...TERMS.map(([key], i) => el('option', { value: i }, text(key))));
  terms.value = '1';
  const go = el('button', { class: 'primary bad', type: 'submit', 'data-focus': '' }, text(isHold ? 'holdNow' : 'banNow'));
  const submit = (event) => {
    event.preventDefault();
    const { how, address, hide } = event.target.elements;
    const body = (entry) => ({ ...entry.id ? { comment: entry.id } : { author: entry.line.author }, ...address?.checked && { address: true },
      ...how.value === 'hold' && { hold: true }, ...hide.checked && { hide: true }, ...TERMS[terms.value][1] && { seconds: TERMS[terms.value][1] } });
    close();
    ban(authors.map(body), names, how.value === 'hold');
  };
  const change = ({ target: { form } }) => {
    const isHeld = form.elements.how.value === 'hold';
    go.textContent = text(isHeld ? 'holdNow' : 'banNow');
    go.classList.toggle('bad', !isHeld);
  };
  const form = el('form', { class: 'ban', submit, change },
    el('h2', {}, label),
    el('fieldset', {}, el('legend', { class: 'unseen' }, text('how')),
      choice('radio', 'how', text('banThem'), { value: 'ban', checked: isHold ? undefined : '' }),
      choice('radio', 'how', text('holdThem'), { value: 'hold', checked: isHold ? '' : undefined })),
    el('label', { class: 'choice' }, text('howLong'), terms),
    choice('checkbox', 'hide', text('alsoHide')),
    ...authors.every(({ id }) => id) ? [choice('checkbox', 'address', text('alsoAddress'))] : [],
    el('div', { class: 'bar-end' }, button('', close, text('cancel')), go));
  return show(from, label, form);
}
