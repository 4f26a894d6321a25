/** What can be typed so that it looks like something: six lines, opened by "Markdown" below a field. */

import { el } from './dom.js';

/** How a word is typed, and the elements it becomes. */
const LINES = [
  [(word) => `*${word}*`, 'em'], [(word) => `**${word}**`, 'strong'], [(word) => `\`${word}\``, 'code'],
  [(word) => `[${word}](https://…)`, 'a'], [(word) => `> ${word}`, 'blockquote'], [(word) => `- ${word}`, 'ul', 'li'],
];

export function help(text) {
  const words = text('examples').split(',');
  const made = LINES.map(([typed, ...tags], i) => {
    const shown = tags.reduceRight((inner, tag) => el(tag, {}, inner), words[i]);
    return [el('dt', {}, typed(words[i])), el('dd', { class: 'text' }, shown)];
  });
  return el('dl', { class: 'aid' }, ...made.flat());
}
