/** Who moderates: the token, for as long as the tab lives, and where sayso is. Knows no request. */

import { guarded } from '../widget/dom.js';

const KEY = 'sayso admin token';

/** Without a slash at its end. */
export const base = new URL('..', import.meta.url).href.replace(/\/$/, '');

let token = guarded(() => sessionStorage.getItem(KEY)) ?? '';

export const session = {
  get token() {
    return token;
  },
  set token(value) {
    token = value;
    guarded(() => (value ? sessionStorage.setItem(KEY, value) : sessionStorage.removeItem(KEY)));
  },
};
