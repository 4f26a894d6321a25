/**
 * Elements, and what is kept in the browser.
 *
 * Nothing from the server becomes an element but through createElement, textContent and the allowlist of `rich`.
 */

// What is kept in the browser
export function guarded(act) {
  try {
    return act();
  } catch {
    return undefined;
  }
}

const memory = new Map();
export const store = {
  get: (key) => memory.get(key) ?? guarded(() => localStorage.getItem(key)),
  set(key, value) {
    const isKept = guarded(() => (value ? localStorage.setItem(key, value) : localStorage.removeItem(key), true));
    // What the browser does not keep lasts as long as the page.
    if (isKept) memory.delete(key);
    else memory.set(key, value);
  },
  keys: () => [...memory.keys(), ...guarded(() => Object.keys(localStorage)) ?? []],
  read: (key) => guarded(() => JSON.parse(store.get(key))) ?? {},
};

// Elements
export function el(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), { ...attributes, part: attributes.class }, children);
}

export function svg(tag, attributes, ...children) {
  return fill(document.createElementNS('http://www.w3.org/2000/svg', tag), attributes, children);
}

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'function') node.addEventListener(name, value);
    else if (value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

export const button = (name, click, label) => el('button', { class: name, type: 'button', click }, label);

/** What a comment's html may hold; everything else leaves its text behind. */
const RICH = new Set(['p', 'br', 'em', 'strong', 'del', 'code', 'pre', 'blockquote', 'ul', 'ol', 'li', 'a']);

const OWN = new Set(['ul', 'ol', 'blockquote']);

/** Built anew, so that even a lying server runs nothing here. */
export function rich(html) {
  const built = document.createDocumentFragment();
  copy((Document.parseHTML?.(html) ?? new DOMParser().parseFromString(html, 'text/html')).body, built, 0);
  return built;
}

function copy(from, to, depth) {
  for (const node of from.childNodes) {
    if (node.nodeType === Node.TEXT_NODE) to.append(node.data);
    if (node.nodeType !== Node.ELEMENT_NODE || depth > 32) continue;
    const tag = node.localName;
    if (['script', 'style', 'template'].includes(tag)) continue;
    const made = RICH.has(tag) ? to.appendChild(document.createElement(tag)) : to;
    if (tag === 'a') link(made, node.getAttribute('href'));
    // Each by its own first letter; a paragraph does so by its style, since the whole goes by the paragraphs'.
    if (OWN.has(tag)) made.dir = 'auto';
    if (tag === 'code' || tag === 'pre') made.dir = 'ltr';
    if (tag === 'ol' && /^\d{1,9}$/.test(node.getAttribute('start'))) made.setAttribute('start', node.getAttribute('start'));
    copy(node, made, depth + 1);
  }
}

function link(a, href) {
  if (!['http:', 'https:', 'mailto:'].includes(guarded(() => new URL(href).protocol))) return;
  a.setAttribute('href', href);
  a.setAttribute('rel', 'nofollow ugc noopener');
}
