/** Where a comment is read. Knows no elements. */

import { guarded } from './dom.js';

/** A page that is named after its address: host and path. */
const ADDRESS = /^([\w-]+(\.[\w-]+)+|localhost)(:\d+)?\//;

/** The address that a page is named after, without its scheme. */
export const addressOf = (page) => ADDRESS.test(page) ? guarded(() => encodeURI(decodeURI(page))) : undefined;

/** A comment on sayso's own page. */
export const ownAddressOf = (base, page, id) => `${base}/?page=${encodeURIComponent(page)}#sayso-${id}`;
