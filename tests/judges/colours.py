"""What a browser paints: the colours of a page's text."""

# The colours of every run of text that can be seen, and of the nearest painted ground below it.
READ_COLOURS = """() => {
  const pair = number => (+number).toString(16).padStart(2, '0');
  const hex = colour => '#' + colour.match(/\\d+/g).slice(0, 3).map(pair).join('');
  const clear = colour => colour === 'transparent' || /, 0\\)$/.test(colour);
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement, text = walker.currentNode.data.trim();
    if (!text || !element.offsetParent) continue;
    let ground = element;
    while (ground && clear(getComputedStyle(ground).backgroundColor)) ground = ground.parentElement;
    const painted = ground ? hex(getComputedStyle(ground).backgroundColor) : '#ffffff';
    found.push([hex(getComputedStyle(element).color), painted, text]);
  }
  return found;
}"""
