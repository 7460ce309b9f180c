(() => {
'use strict';
const one = id => document.getElementById(id);
const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const table = document.querySelector('.results');
const body = table.tBodies[0];
const rows = [...body.rows];
const metric = one('metric'), filter = one('filter'), shown = one('shown');
const goals = all('input[name=goal]');
// What the page says, not what a browser restored.
const firstGoal = goals.find(goal => goal.defaultChecked)?.value;
let place = '', sort = '', down = false, begun = false;

for (const hidden of all('.controls, .copy')) hidden.hidden = false;
for (const head of all('thead th', table)) {
  const button = document.createElement('button');
  button.type = 'button';
  button.textContent = head.textContent;
  head.replaceChildren(button);
  button.addEventListener('click', () => {
    const key = head.dataset.k;
    down = sort === key ? !down : 'more' in head.dataset;
    sort = key;
    order();
    remember();
  });
}

const field = (row, key) => row.querySelector('[data-k="' + key + '"]');
const number = (row, key) => {
  const text = field(row, key)?.dataset.v;
  return text ? Number(text) : NaN;
};

function order() {
  const numeric = sort && rows.some(row => !isNaN(number(row, sort)));
  const sign = down ? -1 : 1;
  const sorted = !sort ? rows : [...rows].sort((a, b) => {
    if (!numeric) return sign * field(a, sort).textContent.localeCompare(field(b, sort).textContent);
    const [x, y] = [number(a, sort), number(b, sort)];
    // What was not measured stands last, whatever the order.
    return isNaN(x) || isNaN(y) ? isNaN(x) - isNaN(y) : sign * (x - y);
  });
  body.append(...sorted);
  for (const head of all('thead th', table)) {
    if (head.dataset.k === sort) head.setAttribute('aria-sort', down ? 'descending' : 'ascending');
    else head.removeAttribute('aria-sort');
  }
}

function choose() {
  const key = metric.value;
  const most = Math.max(...rows.map(row => number(row, key)).filter(value => !isNaN(value)));
  for (const of of all('[data-k]', table)) {
    const chosen = key && of.dataset.k === key;
    of.classList.toggle('chosen', Boolean(chosen));
    if (of.tagName === 'TD') of.style.setProperty('--bar', chosen && of.dataset.v ? 100 * of.dataset.v / most + '%' : '0%');
  }
  body.classList.toggle('one', Boolean(key));
}

function narrow() {
  const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
  let left = 0;
  for (const row of rows) {
    const text = ['run', 'point', 'backend', 'verdict'].map(key => field(row, key)?.textContent ?? '').join(' ').toLowerCase();
    row.hidden = !words.every(word => text.includes(word));
    left += !row.hidden;
  }
  shown.textContent = words.length ? left + ' of ' + rows.length + ' rows' : '';
}

function remember() {
  const goal = goals.find(goal => goal.checked)?.value;
  const parts = [place];
  const add = (name, value) => value && parts.push(name + '=' + encodeURIComponent(value));
  add('goal', goal === firstGoal ? '' : goal);
  add('metric', metric.value);
  add('sort', sort && sort + (down ? '-down' : ''));
  add('filter', filter.value);
  history.replaceState(null, '', parts.length > 1 || place ? '#' + parts.join(';') : location.pathname + location.search);
}

function open(element) {
  for (let at = element; at; at = at.parentElement) if (at.tagName === 'DETAILS') at.open = true;
}

function recall() {
  const [id, ...settings] = location.hash.slice(1).split(';');
  const of = {};
  for (const setting of settings) {
    const [name, value = ''] = setting.split('=');
    try { of[name] = decodeURIComponent(value); } catch { of[name] = ''; }
  }
  place = id;
  // A link within the page goes somewhere and changes nothing else.
  if (settings.length || !begun) restore(of);
  else remember();
  begun = true;
  const target = id && one(id);
  if (target) {
    open(target);
    target.scrollIntoView();
    if (target.tagName === 'FIGURE') target.focus({ preventScroll: true });
  }
}

function restore(of) {
  const goal = goals.find(goal => goal.value === (of.goal || firstGoal));
  if (goal) goal.checked = true;
  metric.value = of.metric || '';
  if (metric.selectedIndex < 0) metric.value = '';
  filter.value = of.filter || '';
  const wanted = (of.sort || '').replace(/-down$/, '');
  sort = all('thead th', table).some(head => head.dataset.k === wanted) ? wanted : '';
  down = Boolean(sort) && of.sort !== wanted;
  order();
  choose();
  narrow();
}

metric.addEventListener('change', () => {
  const option = metric.selectedOptions[0];
  [sort, down] = [metric.value, 'more' in option.dataset];
  choose();
  order();
  remember();
});
filter.addEventListener('input', () => { narrow(); remember(); });
filter.form.addEventListener('submit', event => event.preventDefault());
for (const goal of goals) goal.addEventListener('change', remember);
for (const button of all('.copy')) {
  button.addEventListener('click', async () => {
    const code = button.parentElement.querySelector('code');
    try {
      await navigator.clipboard.writeText(code.textContent);
    } catch {
      getSelection().selectAllChildren(code);
      document.execCommand('copy');
    }
    button.textContent = 'Copied';
    setTimeout(() => { button.textContent = 'Copy'; }, 2000);
  });
}
let folded = [];
addEventListener('beforeprint', () => {
  folded = all('details:not([open])');
  for (const details of folded) details.open = true;
});
addEventListener('afterprint', () => { for (const details of folded) details.open = false; });
addEventListener('hashchange', recall);
recall();
})();
