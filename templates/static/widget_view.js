/* What the visitor sees and does. Goes on where widget.js ends: both are served as one module. */

/* ── drawing ── */
const rows = new Map();
const clock = new Intl.DateTimeFormat(given.lang, { hour: '2-digit', minute: '2-digit' });
const day = new Intl.DateTimeFormat(given.lang, { day: 'numeric', month: 'long' });
const weekday = new Intl.DateTimeFormat(given.lang, { weekday: 'long', hour: '2-digit', minute: '2-digit' });

function element(tag, name, text) {
  const made = document.createElement(tag);
  if (name) made.className = name;
  if (text !== undefined) made.textContent = text;
  return made;
}
const icon = (name) => $(`ic-${name}`).content.firstElementChild.cloneNode(true);

function withLinks(text) {
  const span = element('span');
  let end = 0;
  for (const found of text.matchAll(/https?:\/\/[^\s<>"']+[^\s<>"'.,;:!?)\]]/g)) {
    span.append(text.slice(end, found.index));
    const link = element('a', '', found[0]);
    link.href = found[0];
    link.target = '_blank';
    link.rel = 'noopener noreferrer nofollow';
    span.append(link);
    end = found.index + found[0].length;
  }
  span.append(text.slice(end));
  return span;
}

function size(n) {
  return n < 1e6 ? `${Math.max(1, Math.round(n / 1000))} kB` : `${(n / 1e6).toLocaleString(given.lang, { maximumFractionDigits: 1 })} MB`;
}

function attached(file) {
  const line = element('span', 'att');
  if (!file.mark) { line.append(icon('file'), element('span', '', `${file.name} (${size(file.size)})`)); return line; }
  const link = element('a');
  link.href = `${base}/files/${me.token.split('.')[0]}/${file.id}/${file.mark}`;
  link.target = '_blank';
  link.rel = 'noopener noreferrer';
  if (/^image\/(png|jpeg|gif|webp)$/.test(file.type)) {
    const picture = element('img');
    picture.src = link.href;
    picture.alt = file.name;
    picture.loading = 'lazy';
    link.append(picture);
    line.append(link);
  } else {
    link.textContent = `${file.name} (${size(file.size)})`;
    line.append(icon('file'), link);
  }
  return line;
}

const drawWaiting = (m) => draw({ id: '', client: m.id, mine: true, text: m.text, at: Date.parse(m.at), state: online ? 'sending' : 'waiting', files: m.files || [] });

function draw(message) {
  const name = message.mine ? message.client : message.id, old = rows.get(name);
  if (message.mine && message.id) { const waits = queue.find((m) => m.id === message.client); if (waits) settle(waits); }
  if (!message.mine) { if (message.state === 'read' || !known.has(message.id)) known.set(message.id, message.state); }
  if (old && (old.message.id || !message.id)) return;
  const row = element('div', `wr${message.mine ? ' me' : ''}`), bubble = element('div', `wm${message.mine ? ' mine' : ''}`);
  row.append(element('span', message.mine ? 'vh' : 'from', message.mine ? W.you : message.name || given.title));
  if (message.text) bubble.append(withLinks(message.mine ? message.text : message.text.replace(OFFER, '')));
  for (const file of message.files) bubble.append(attached(file));
  row.append(bubble);
  row.message = message;
  if (message.mine) row.append(element('span', 'ws'));
  if (old) old.replaceWith(row); else place(row);
  rows.set(name, row);
  tidy();
  statuses();
  offers();
}

/* Answers to press: those of the greeting before anything is said, later those that the newest answer ends with: [Yes] [No]. */
const OFFER = /\n\s*((?:\[[^\[\]\n]{1,60}\]\s*){1,6})$/;
function offers() {
  $('quick')?.remove();
  const said = [...$('log').querySelectorAll('.wr:not(#dots)')].pop()?.message;
  const texts = !said ? given.quick : said.mine ? [] : [...(OFFER.exec(said.text)?.[1] || '').matchAll(/\[([^\]]+)\]/g)].map((m) => m[1].trim());
  if (!texts.length || closed || state.ended) return;
  const line = element('div', 'quick');
  line.id = 'quick';
  for (const text of texts) {
    const chip = element('button', 'chip', text);
    chip.type = 'button';
    chip.addEventListener('click', async () => { line.remove(); if ($('log').hidden) await go(); if (!$('form').hidden) wanted = text; else { say(text); box.focus(); } });
    line.append(chip);
  }
  if ($('log').hidden) $('start').append(line); else { $('log').append(line); $('log').scrollTop = $('log').scrollHeight; }
}
let wanted = '';

/* In the order of record; what is not recorded yet stands at the end, in the order it was written. */
function place(row) {
  const number = row.message.id ? BigInt(row.message.id) : null;
  const after = [...$('log').querySelectorAll('.wr:not(#dots)')].find((r) => number !== null && (!r.message.id || BigInt(r.message.id) > number));
  const log = $('log'), down = log.scrollHeight - log.scrollTop - log.clientHeight < 80;
  log.insertBefore(row, after || log.querySelector('#end, #quick, #dots'));
  if (down) log.scrollTop = log.scrollHeight;
}

function tidy() {
  for (const old of $('log').querySelectorAll('.wd')) old.remove();
  let last = '', who = null;
  for (const row of $('log').querySelectorAll('.wr:not(#dots)')) {
    const at = new Date(row.message.at), date = at.toDateString(), speaker = row.message.mine ? '' : row.message.name || given.title;
    if (date !== last) {
      const words = date === new Date().toDateString() ? W.today : day.format(at);
      row.before(element('span', 'wd', `${words}, ${clock.format(at)}`));
      who = null;
    }
    row.classList.toggle('again', who === speaker);
    [last, who] = [date, speaker];
  }
}

function mark(client, to, why = '') {
  const row = rows.get(client);
  if (!row || row.message.id) return;
  row.message.state = to;
  row.message.why = why;
  statuses();
}

function statuses() {
  const mine = [...$('log').querySelectorAll('.wr.me')], stored = mine.filter((r) => r.message.id), read = stored.length - state.unread;
  mine.forEach((row, at) => {
    const m = row.message, place_ = stored.indexOf(row), said = m.id ? (place_ < read ? 'read' : 'stored') : m.state;
    const last = at === mine.length - 1, after = mine[at + 1]?.message, same = after && (after.id ? (stored.indexOf(mine[at + 1]) < read ? 'read' : 'stored') : after.state) === said;
    const line = row.querySelector('.ws');
    row.querySelector('.wm').className = `wm mine${said === 'failed' ? ' failed' : said === 'waiting' ? ' pend' : ''}`;
    line.className = `ws${said === 'failed' ? ' bad-t' : ''}`;
    line.hidden = !last && same && said !== 'failed';
    const words = said === 'failed' ? fill(W.failed, { why: m.why }) : said === 'stored' && opens !== null && last ? `${W.stored} · ${back()}` : W[said];
    if (line.dataset.said === words) return;
    line.dataset.said = words;
    line.replaceChildren(element('span', '', words));
    const sign = { read: 'check2', stored: 'check', sent: 'check', waiting: 'clock', failed: 'alert' }[said];
    if (sign) line.append(icon(sign));
  });
  const end = $('end');
  const over = state.ended && !$('log').hidden && !closed;
  if ($('after').hidden === over) { $('after').hidden = !over; if (!over) $('thanks').textContent = ''; }
  if (over) {
    const chosen = $('rate').querySelector(`[value="${state.rated}"]`);
    if (chosen && !$('rate').contains(document.activeElement)) chosen.checked = true;
    if ($('m-email') && !$('m-email').value) $('m-email').value = me?.from?.email || '';
  }
  if (state.ended) $('quick')?.remove();
  if (state.ended && !end) { const line = element('p', 'end', W.ended); line.id = 'end'; $('log').append(line); }
  if (!state.ended && end) end.remove();
}

function back() {
  if (!opens) return W.closed;
  const at = new Date(opens), soon = opens - Date.now() < 86400000;
  return fill(W.back, { time: soon ? clock.format(at) : opens - Date.now() < 6 * 86400000 ? weekday.format(at) : `${day.format(at)}, ${clock.format(at)}` });
}

function header() {
  const agent = state.agent && !state.ended ? fill(W.someone, { name: state.agent }) : given.title;
  $('title').textContent = agent;
  $('sub').textContent = online ? (opens === null ? W.open : back()) : W.offline;
  $('dot').className = online && opens === null ? 'dot' : 'dot w';
  if (opens !== null && $('log').childElementCount && !$('note')) {
    const note = element('p', 'wm', given.away);
    note.id = 'note';
    $('log').prepend(note);
  }
}

/* ── when it has ended ── */
async function afterwards(path, body, thanks) {
  let words = W.lost;
  try {
    const { ok, said } = await ask(path, body);
    words = ok ? thanks(said) : said.detail || W.lost;
    if (ok && said.rated) state.rated = said.rated;
  } catch { /* said below: no connection */ }
  $('thanks').textContent = words;
}
$('rate').addEventListener('submit', (e) => {
  e.preventDefault();
  const score = Number(new FormData(e.target).get('score'));
  if (score) afterwards('/rating', { score }, () => W.rated); else e.target.querySelector('input').focus();
});
$('mail')?.addEventListener('submit', (e) => {
  e.preventDefault();
  afterwards('/transcript', { email: $('m-email').value.trim(), zone: Intl.DateTimeFormat().resolvedOptions().timeZone || '' }, (said) => fill(W.mailed, { address: said.sent }));
});

/* ── typing: five seconds of dots, never announced ── */
let dotted = 0, typed = 0;
function dots(on) {
  clearTimeout(dotted);
  $('dots')?.remove();
  if (!on || $('log').hidden) return;
  const row = element('div', 'wr'), bubble = element('div', 'wm dots3'), log = $('log');
  const down = log.scrollHeight - log.scrollTop - log.clientHeight < 80;
  row.id = 'dots';
  row.setAttribute('aria-hidden', 'true');
  for (let n = 0; n < 3; n++) bubble.append(element('i'));
  row.append(bubble);
  log.append(row);
  if (down) log.scrollTop = log.scrollHeight;
  dotted = setTimeout(dots, 5000, false);
}

function types() {
  if (!me || !online || !box.value.trim() || Date.now() - typed < 3000) return;
  typed = Date.now();
  ask('/typing').catch(() => { /* nobody misses it */ });
}

/* ── what was read ── */
let later = 0;
function tellRead() {
  const seen = open && document.visibilityState === 'visible' && !$('log').hidden;
  let unread = 0;
  for (const [id, was] of known) {
    const to = seen ? 'read' : 'delivered';
    if (was !== 'read' && was !== to && receipts.get(id) !== to) receipts.set(id, to);
    if (was !== 'read' && !seen) unread++;
  }
  up({ unread });
  if (receipts.size && !later) later = setTimeout(sendReceipts, 300);
}

async function sendReceipts() {
  later = 0;
  const some = [...receipts].slice(0, 100);
  try {
    const { ok, status } = await ask('/receipts', { receipts: some.map(([id, to]) => ({ id, state: to })) });
    if (!ok && status !== 422) return;
    for (const [id, to] of some) { known.set(id, to); if (receipts.get(id) === to) receipts.delete(id); }
    if (receipts.size && !later) later = setTimeout(sendReceipts, 300);
  } catch { /* told again when the connection is back: `hear` comes here after every connect */ }
}
document.addEventListener('visibilitychange', tellRead);

/* ── the page around the frame ── */
function up(said) {
  if (framed) parent.postMessage({ hub: 'chat', ...said }, document.referrer ? new URL(document.referrer).origin : '*');
}
addEventListener('message', (e) => {
  if (e.source !== parent || !framed || e.data?.hub !== 'chat' || typeof e.data.open !== 'boolean') return;
  if (e.data.who !== undefined && JSON.stringify(e.data.who) !== JSON.stringify(heardWho ? who : undefined)) meet(e.data.who);
  open = e.data.open;
  $('close').hidden = false;
  if (open) { const field = $('log').hidden ? $('begin') : $('text'); field.focus({ preventScroll: true }); $('log').scrollTop = $('log').scrollHeight; }
  tellRead();
});
$('close').addEventListener('click', () => up({ close: true }));
addEventListener('keydown', (e) => { if (e.key === 'Escape' && !e.isComposing) up({ close: true }); });

/* ── the box ── */
const box = $('text');
function enter() {
  const text = box.value.trim();
  if (!text) return;
  if (text.length > given.longest) { box.setCustomValidity(fill(W.long, { limit: given.longest })); box.reportValidity(); return; }
  box.value = '';
  typed = 0;
  say(text);
  box.focus();
}
$('write').addEventListener('submit', (e) => { e.preventDefault(); enter(); });
box.addEventListener('input', () => { box.setCustomValidity(''); types(); });
box.addEventListener('keydown', (e) => {
  if (e.key === 'Enter' && !e.shiftKey && !e.isComposing) { e.preventDefault(); enter(); }
});
$('clip').addEventListener('click', () => $('file').click());
$('file').addEventListener('change', async (e) => {
  const chosen = [...e.target.files].slice(0, 10);
  e.target.value = '';
  if (!chosen.length) return;
  const plain = chosen.map(({ name, type, size: bytes }) => ({ name, type, size: bytes }));
  if (chosen.reduce((sum, f) => sum + f.size, 0) > given.largest) {
    const why = fill(W.large, { limit: Math.floor(given.largest / 1e6) });
    draw({ id: '', client: `large-${Date.now()}`, mine: true, text: '', at: Date.now(), state: 'failed', why, files: plain });
    $('log').scrollTop = $('log').scrollHeight;
    return;
  }
  const bytes = await Promise.all(chosen.map(encoded));
  say('', plain.map((f, at) => ({ ...f, content_base64: bytes[at] })));
});

function encoded(file) {
  return new Promise((done, fail) => {
    const reader = new FileReader();
    reader.onload = () => done(reader.result.slice(reader.result.indexOf(',') + 1));
    reader.onerror = () => fail(reader.error);
    reader.readAsDataURL(file);
  });
}

header();
show('start');
offers();
if (me && heardWho) { queue.forEach(drawWaiting); listen(); }
up({ ready: true });
