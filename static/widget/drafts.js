/**
 * What has been typed and not sent, each tab's own. It outlives the page in the tab's own storage; when the page goes, it is left
 * where another tab finds it, in case that this one does not come back. Knows no fields.
 */

import { guarded, store } from './dom.js';

const memory = new Map();
const tab = {
  get: (key) => memory.get(key) ?? guarded(() => sessionStorage.getItem(key)) ?? '',
  set(key, text) {
    if (guarded(() => (text ? sessionStorage.setItem(key, text) : sessionStorage.removeItem(key), true))) memory.delete(key);
    else memory.set(key, text);
  },
  keys: () => [...new Set([...memory.keys(), ...guarded(() => Object.keys(sessionStorage)) ?? []])],
};

export class Drafts {
  #isOurs;

  /** `isOurs` tells which keys belong to this widget. */
  constructor(isOurs) {
    this.#isOurs = isOurs;
    this.take();
  }

  get = tab.get;

  set = tab.set;

  keys() {
    return tab.keys().filter((key) => this.#isOurs(key) && tab.get(key));
  }

  leave() {
    for (const key of this.keys()) store.set(key, tab.get(key));
  }

  /** What this tab has left itself, and what others have that it has nothing in the place of. */
  take() {
    for (const key of new Set(store.keys())) {
      const left = this.#isOurs(key) && store.get(key);
      if (!left) continue;
      const own = tab.get(key);
      if (!own) tab.set(key, left);
      if (!own || own === left) store.set(key, '');
    }
  }
}
