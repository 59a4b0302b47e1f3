// Finds pages, headings and names as one types. index.js holds what there is: [words, kind, place].
'use strict';

const field = document.getElementById('search');
const found = document.getElementById('found');
const shown = 14;

if (matchMedia('(max-width: 56rem)').matches) document.querySelector('nav details').open = false;
document.querySelector('nav .here')?.scrollIntoView({block: 'nearest'});

// The better the match, the smaller: at the front of the words, at the front of one of them, anywhere.
function rank(words, sought) {
  const at = words.toLowerCase().indexOf(sought);
  if (at < 0) return Infinity;
  const front = at === 0 || /[\s:_]/.test(words[at - 1]);
  return (at === 0 ? 0 : front ? 100 : 200) + words.length;
}

function find() {
  const sought = field.value.trim().toLowerCase();
  found.replaceChildren();
  if (sought.length < 2) return;
  const hits = index.map((entry) => [rank(entry[0], sought), entry]).filter(([r]) => r < Infinity);
  hits.sort((a, b) => a[0] - b[0]);
  for (const [, [words, kind, place]] of hits.slice(0, shown)) {
    const link = document.createElement('a');
    const of = document.createElement('small');
    link.href = place;
    link.textContent = words + ' ';
    of.textContent = kind;
    link.append(of);
    found.append(document.createElement('li'));
    found.lastChild.append(link);
  }
}

field.addEventListener('focus', () => {
  if (typeof index !== 'undefined') return;
  const script = document.createElement('script');
  script.src = 'index.js';
  script.onload = find;
  document.head.append(script);
}, {once: true});
field.addEventListener('input', () => { if (typeof index !== 'undefined') find(); });
field.addEventListener('keydown', (e) => { if (e.key === 'Enter') found.querySelector('a')?.click(); });
document.addEventListener('keydown', (e) => {
  if (e.key !== '/' || /INPUT|TEXTAREA/.test(document.activeElement.tagName)) return;
  e.preventDefault();
  field.focus();
});
