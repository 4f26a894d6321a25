/** Marks in a comment's text what made it wait: its links, or the word. Knows nothing but text. */

const ADDRESS = /https?:\/\/\S*[^\s.,;:!?)\]}'"”]/gi;

/** Case and accents aside, with the place in the text of each letter left. */
function fold(text) {
  let folded = '';
  const places = [];
  let at = 0;
  for (const letter of text) {
    for (const part of letter.normalize('NFKD').toLowerCase()) {
      if (/\p{M}/u.test(part)) continue;
      folded += part;
      places.push(...Array.from(part, () => at));
      if (part.length > 1) places.push(at);
    }
    at += letter.length;
  }
  places.push(at);
  return { folded, places };
}

function spansOf(text, why) {
  if (why === 'links') return [...text.matchAll(ADDRESS)].map((found) => [found.index, found.index + found[0].length]);
  const word = why.slice('word: '.length).trim();
  // The server's expressions take linear time, a browser's may take for ever on a stranger's text.
  if (/^\/.+\/$/.test(word)) return [];
  const { folded, places } = fold(text);
  const pattern = new RegExp(fold(word).folded.replace(/[.*+?^${}()|[\]\\]/g, '\\$&').replace(/\s+/g, '\\s+'), 'giu');
  return [...folded.matchAll(pattern)].filter(([found]) => found).map((found) => {
    const end = found.index + found[0].length;
    let to = places[end];
    // Accents that follow the last letter belong to it.
    while (to < text.length && /\p{M}/u.test(text[to])) to += 1;
    return [places[found.index], to];
  });
}

/** Wraps them in `<mark>`, below `root`. */
export function mark(root, why = '') {
  if (why === 'links') for (const a of root.querySelectorAll('a')) wrap(a);
  if (why !== 'links' && !why.startsWith('word: ')) return;
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  const texts = [];
  while (walker.nextNode()) if (!walker.currentNode.parentElement.closest('mark')) texts.push(walker.currentNode);
  for (const node of texts) {
    for (const [from, to] of spansOf(node.data, why).reverse()) {
      const rest = node.splitText(from);
      rest.splitText(to - from);
      wrap(rest);
    }
  }
}

function wrap(node) {
  const made = document.createElement('mark');
  node.replaceWith(made);
  made.append(node);
}
