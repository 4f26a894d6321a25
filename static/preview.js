/**
 * Comment text → elements, for the preview only: close to what src/markup.rs makes of it, without its rarer cases. What is kept and
 * shown to others is always the server's own rendering. Nothing becomes an element but through createElement and textContent.
 */

const DEPTH_MAX = 8;
const FENCE = /^ {0,3}(`{3,}|~{3,})[^`]*$/;
const QUOTE = /^ {0,3}> ?/;
const ITEM = /^ {0,3}(?:[-*+]|(\d{1,9})[.)]) +/;
const HEADING = /^ {0,3}#{1,6} +(.*?)(?: +#+)? *$/;
/** In one go: escapes, code, links, bare addresses, strong, strikethrough, emphasis. */
const INLINE = new RegExp([
  /\\([!-/:-@[-`{-~])/, /(`+)(?!`)(.*?[^`])\2(?!`)/, /!?\[([^\]]*)\]\(<?([^\s()<>]+(?:\([^\s()]*\))?)>?(?:\s+["'(][^"')]*["')])?\s*\)/,
  /<?(\bhttps?:\/\/[^\s<>]*[^\s<>.,:;!?'")\]])>?/, /(\*\*|\b__)(?=\S)(.*?\S)\7(?!\w)/, /~~(?=\S)(.*?\S)~~/,
  /(\*|\b_)(?![\s*_])((?:\*\*.*?\*\*|.)*?[^\s*])\10(?!\w)/,
].map(({ source }) => source).join('|'), 's');

/** The elements of a text. */
export function preview(content) {
  const built = document.createDocumentFragment();
  blocks(content.trim().split('\n'), built, 0);
  return built;
}

function add(to, tag, text) {
  const made = to.appendChild(document.createElement(tag));
  if (text) inline(text, made);
  return made;
}

function blocks(lines, to, depth) {
  const take = (isInside) => {
    let n = 1;
    while (n < lines.length && isInside(lines[n])) n++;
    return lines.splice(0, n);
  };
  while (lines.length) {
    const [line] = lines;
    const fence = FENCE.exec(line)?.[1];
    const item = ITEM.exec(line);
    if (!line.trim()) {
      lines.shift();
    } else if (fence) {
      const [, ...code] = take((next) => !next.trim().startsWith(fence));
      lines.shift();
      add(add(to, 'pre'), 'code').textContent = code.join('\n');
    } else if (depth < DEPTH_MAX && QUOTE.test(line)) {
      const quoted = take((next) => next.trim() && !FENCE.test(next));
      blocks(quoted.map((text) => text.replace(QUOTE, '')), add(to, 'blockquote'), depth + 1);
    } else if (depth < DEPTH_MAX && item) {
      list(lines, to, depth, item[1]);
    } else if (HEADING.test(line)) {
      add(add(to, 'p'), 'strong', HEADING.exec(lines.shift())[1]);
    } else {
      const isText = (next) => next.trim() && ![FENCE, QUOTE, HEADING].some((kind) => kind.test(next)) && !/^ {0,3}(?:[-*+]|1[.)]) +/.test(next);
      add(to, 'p', take(isText).map((text) => text.trim()).join('\n'));
    }
  }
}

function list(lines, to, depth, start) {
  const made = add(to, start ? 'ol' : 'ul');
  if (start > 1) made.setAttribute('start', Number(start));
  for (let item = ITEM.exec(lines[0] ?? ''); item && Boolean(item[1]) === Boolean(start); item = ITEM.exec(lines[0] ?? '')) {
    const own = [lines.shift().slice(item[0].length)];
    while (lines.length && (/^ {2,}\S/.test(lines[0]) || (lines[0].trim() && !ITEM.test(lines[0])) || /^ {2,}\S/.test(lines[1] ?? ''))) {
      own.push(lines.shift().replace(/^ {1,4}/, ''));
    }
    while (lines.length > 1 && !lines[0].trim() && ITEM.test(lines[1])) lines.shift();
    const inside = add(made, 'li');
    blocks(own, inside, depth + 1);
    // A paragraph alone needs no room around it.
    if (inside.firstElementChild?.localName === 'p' && !inside.querySelector('p + p')) inside.firstElementChild.replaceWith(...inside.firstElementChild.childNodes);
  }
}

function inline(text, to) {
  for (let found = INLINE.exec(text); found; found = INLINE.exec(text)) {
    plain(text.slice(0, found.index), to);
    text = text.slice(found.index + found[0].length);
    const [whole, escaped, , code, label, target, address, , strong, struck, , emphasis] = found;
    const made = target ?? address ? link(target ?? address) : null;
    if (escaped) to.append(escaped);
    else if (code) add(to, 'code').textContent = code.replaceAll('\n', ' ').replace(/^ (.*\S.*) $/, '$1');
    else if (made) inlineLink(to.appendChild(made), label, target ?? address);
    else if (strong) add(to, 'strong', strong);
    else if (struck) add(to, 'del', struck);
    else if (emphasis) add(to, 'em', emphasis);
    else to.append(whole);
  }
  plain(text, to);
}

function inlineLink(a, label, address) {
  if (label === undefined) a.textContent = address;
  else a.append(label);
}

function plain(text, to) {
  text.split('\n').forEach((line, i) => to.append(...(i ? [document.createElement('br'), line] : [line])));
}

function link(target) {
  const { protocol } = URL.parse?.(target) ?? (URL.canParse(target) ? new URL(target) : {});
  if (!['http:', 'https:', 'mailto:'].includes(protocol)) return null;
  const a = document.createElement('a');
  a.href = target;
  a.rel = 'nofollow ugc noopener';
  return a;
}
