/** How well what a widget shows can be seen: the texts, or the borders, that have too little contrast to what lies behind them (WCAG 2.2, 1.4.3, 1.4.11). */

const TEXT_MIN = 4.5;

/** Of `borders`, where some are named, instead of texts. */
export function dimTexts(page, borders = '', least = TEXT_MIN) {
  return page.evaluate(([selector, min]) => {
    const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
    const over = (colour, [r, g, b]) => {
      canvas.fillStyle = `rgb(${r} ${g} ${b})`;
      canvas.fillRect(0, 0, 1, 1);
      canvas.fillStyle = colour;
      canvas.fillRect(0, 0, 1, 1);
      return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
    };
    const light = (rgb) => rgb.map((c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
      .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
    const parent = (node) => node.parentElement ?? node.getRootNode().host;
    const root = document.querySelector('sayso-comments')?.shadowRoot ?? document.body;
    const probe = root.appendChild(document.createElement('i'));
    probe.style.cssText = `color-scheme: ${getComputedStyle(document.documentElement).colorScheme}; background: Canvas; position: absolute`;
    const paper = over(getComputedStyle(probe).backgroundColor, [255, 255, 255]);
    probe.remove();
    const behind = (node) => {
      if (!node) return paper;
      const { backgroundColor, backgroundImage } = getComputedStyle(node);
      const gradient = node.localName === 'body' ? /gradient\((rgb\([^)]*\))/.exec(backgroundImage)?.[1] : undefined;
      return over(gradient ?? backgroundColor, behind(parent(node)));
    };
    const dim = [];
    for (const node of root.querySelectorAll(selector || '*')) {
      const words = [...node.childNodes].filter((child) => child.nodeType === 3).map((child) => child.data.trim()).join('');
      const placeholder = node.value === '' ? node.placeholder : '';
      if (!(selector || words || placeholder || node.value) || node.localName === 'option' || !node.checkVisibility()) continue;
      const back = behind(selector ? parent(node) : node);
      const style = getComputedStyle(node, placeholder ? '::placeholder' : null);
      let opacity = 1;
      for (let up = node; up; up = parent(up)) opacity *= getComputedStyle(up).opacity;
      const colour = selector ? style.borderTopColor : node.localName === 'text' ? style.fill : style.color;
      const fore = over(colour, back).map((c, i) => c * opacity + back[i] * (1 - opacity));
      const [a, b] = [light(fore), light(back)].sort((x, y) => y - x);
      const ratio = (a + 0.05) / (b + 0.05);
      if (ratio < min) dim.push(`${node.getAttribute('class')} ${(words || placeholder || '').slice(0, 30)} ${ratio.toFixed(2)}`);
    }
    return dim;
  }, [borders, least]);
}
