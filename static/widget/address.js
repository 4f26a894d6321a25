/** Where a comment is read. Knows no elements. */

import { guarded } from './dom.js';

/** A page that is named after its address: host and path. */
const ADDRESS = /^([\w-]+(\.[\w-]+)+|localhost)(:\d+)?\//;

/** What may not stand in an address, and `#`, as a name has no fragment; as src/http/page_url.rs has it for feeds. */
const ESCAPED = /%(?![\da-fA-F]{2})|["#<>\\^`{|}]|[^!-~]+/g;

/** The address that a page is named after, without its scheme. */
export const addressOf = (page) => ADDRESS.test(page) ? guarded(() => page.replace(ESCAPED, encodeURIComponent)) : undefined;

/** A comment on sayso's own page. */
export const ownAddressOf = (base, page, id) => `${base}/?page=${encodeURIComponent(page)}#sayso-${id}`;
