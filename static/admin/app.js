/** What all parts of the page share: who is here, how many wait, which view is open. Knows no element. */

const target = new EventTarget();

export const emit = (type, detail) => target.dispatchEvent(new CustomEvent(type, { detail }));
export const on = (type, act) => target.addEventListener(type, ({ detail }) => act(detail));

export const app = {
  /** The moderator's own name. */
  name: '',
  totals: {},
  readers: 0,
  state: 'connecting',
  /** The queue that is shown, and the list that shows it. */
  queue: null,
  list: null,
  /** The newest decision seen: `{by, at}`. */
  last: null,
};
