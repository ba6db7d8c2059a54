/* The visitor's chat. What is written is kept here until the hub has it on disk; repeats carry the same id and change nothing.
   Texts of others only ever become text nodes. */
const given = JSON.parse(document.getElementById('given').textContent);
const W = given.words, base = given.base, key = base.split('/').pop();
const $ = (id) => document.getElementById(id);
const fill = (text, values) => text.replace(/\{(\w+)\}/g, (all, name) => values[name] ?? all);
const framed = parent !== window;
const page = framed ? decodeSafe(location.hash.slice(1)) || document.referrer : '';

function decodeSafe(text) {
  try { return decodeURIComponent(text); } catch { return ''; }
}

/* ── what is remembered: in the frame's own storage, and only once a chat has begun ── */
const memory = {};
const store = {
  get(name) {
    try { return JSON.parse(localStorage.getItem(`chat:${key}:${name}`)); } catch { return memory[name] ?? null; }
  },
  set(name, value) {
    memory[name] = value;
    try { localStorage.setItem(`chat:${key}:${name}`, JSON.stringify(value)); } catch { /* not allowed here: this page's memory has to do */ }
  },
  drop(name) {
    delete memory[name];
    try { localStorage.removeItem(`chat:${key}:${name}`); } catch { /* as above */ }
  },
  waiting() {
    const start = `chat:${key}:q:`;
    try {
      return Object.keys(localStorage).filter((k) => k.startsWith(start)).map((k) => JSON.parse(localStorage.getItem(k))).sort((a, b) => a.n - b.n);
    } catch { return []; }
  },
};
let me = store.get('me');
let queue = me ? store.waiting() : [];
let open = !framed, online = true, busy = false, closed = false, failures = 0, timer = 0, streaming = null;
let state = { ended: false, unread: 0, agent: '' }, opens = given.opens, count = Math.max(0, ...queue.map((m) => m.n));
const known = new Map(), receipts = new Map();

/* ── asking the hub ── */
async function ask(path, body, seconds = 20) {
  const headers = { Accept: 'application/json', 'Accept-Language': given.lang };
  if (body) headers['Content-Type'] = 'application/json';
  if (me) headers.Authorization = `Bearer ${me.token}`;
  const answer = await fetch(base + path, {
    method: 'POST', headers, body: JSON.stringify(body), credentials: 'omit', signal: AbortSignal.timeout(seconds * 1000),
  });
  let said = {};
  try { said = await answer.json(); } catch { /* a proxy's page: the status has to do */ }
  return { ok: answer.ok, status: answer.status, said, wait: Number(answer.headers.get('Retry-After')) || 0 };
}

/* ── who the page around says it is: its server's signature is checked by the hub, never here ── */
let who = null, heardWho = !framed || location.hash.length < 2;
function nameOf(w) {
  if (!w) return '';
  if (!w.jwt) return `u${w.user}`;
  try { return `u${JSON.parse(atob(w.jwt.split('.')[1].replace(/-/g, '+').replace(/_/g, '/'))).sub}`; } catch { return `t${w.jwt}`; }
}

/* Another user, or none: the session of the one before ends, with what they had not sent. */
function meet(w) {
  const first = !heardWho, talking = !$('log').hidden;
  who = w;
  heardWho = true;
  const name = nameOf(w), proof = w && `${w.jwt || w.signature}`;
  if (me && ((me.user || '') !== name || (me.guest && me.guest !== proof))) {
    queue.forEach(settle);
    store.drop('me');
    me = null;
    streaming?.abort();
    streaming = null;
    state = { ended: false, unread: 0, agent: '' };
    for (const all of [rows, known, receipts, again]) all.clear();
    $('log').replaceChildren();
    up({ unread: 0 });
    if (!closed) show('start');
    if (!closed && talking && w) go();
  } else if (first && me) { queue.forEach(drawWaiting); listen(); }
}

/* ── beginning ── */
const asks = () => given.form.consent || (given.form.name !== 'off' && !(who?.name || who?.jwt)) || (given.form.email !== 'off' && !(who?.email || who?.jwt));

async function begin(claim) {
  const mine = who, name = claim.name || mine?.name || '', email = claim.email || mine?.email || '';
  const proof = mine && { user: mine.user, signature: mine.signature, jwt: mine.jwt };
  const { ok, status, said } = await ask('/start', { name, email, consent: !!claim.consent, ...proof });
  if (!ok) return { status, said };
  if (mine !== who) return begin(claim);
  me = { token: said.token, user: nameOf(mine), guest: said.guest ? `${mine.jwt || mine.signature}` : '', from: { name: said.from?.name || name, email: said.from?.email || email, consent: claim.consent ? new Date().toISOString() : '' } };
  store.set('me', me);
  up({ begun: true, guest: said.guest });
  if (said.guest) $('log').prepend(element('p', 'wm guest', said.guest));
  listen();
  return null;
}

function show(view) {
  for (const name of ['start', 'form', 'log', 'stop']) $(name).hidden = name !== view;
  $('write').hidden = view !== 'log';
  $('away').hidden = opens === null;
  $('begin-words').textContent = me ? W.resume : $('begin-words').textContent;
  $('after').hidden = view !== 'log' || !state.ended;
  offers();
  if (view === 'log') { $('log').scrollTop = $('log').scrollHeight; if (open) $('text').focus({ preventScroll: true }); }
  if (view === 'form') $('form').querySelector('input').focus();
}

async function go() {
  if (!me && asks()) return show('form');
  show('log');
  if (me) return;
  const trouble = await tryBegin({});
  if (trouble?.status === 422) { show('form'); complain(trouble.said); }
}

async function tryBegin(claim) {
  try {
    const trouble = await begin(claim);
    if (!trouble) { connected(true); flush(); return null; }
    if (trouble.said.blocked || trouble.status === 404) stop(trouble.said.detail || W.blocked);
    return trouble;
  } catch {
    lost(() => (me ? flush() : tryBegin(claim)));
    return { said: { detail: W.lost } };
  }
}

$('begin').addEventListener('click', go);
$('form').addEventListener('submit', async (e) => {
  e.preventDefault();
  const claim = {};
  claim.name = $('f-name')?.value.trim() || '';
  claim.email = $('f-email')?.value.trim() || '';
  claim.consent = !!$('f-consent')?.checked;
  const trouble = await tryBegin(claim);
  if (!trouble) { show('log'); if (wanted) say(wanted); wanted = ''; return; }
  if (!closed) complain(trouble.said);
});

function complain({ detail, fields = {} }) {
  for (const old of document.querySelectorAll('.err')) old.remove();
  for (const input of $('form').querySelectorAll('input')) { input.removeAttribute('aria-invalid'); input.removeAttribute('aria-describedby'); }
  const list = $('errors');
  list.replaceChildren();
  for (const [name, words] of Object.entries(fields)) {
    const input = $(`f-${name}`), line = element('span', 'err', words), link = element('a', '', words);
    line.id = `e-${name}`;
    link.href = `#f-${name}`;
    link.addEventListener('click', (e) => { e.preventDefault(); input.focus(); });
    input.setAttribute('aria-invalid', 'true');
    input.setAttribute('aria-describedby', line.id);
    input.closest('label').append(line);
    list.append(link);
  }
  if (!list.childNodes.length) list.textContent = detail || W.lost;
  list.hidden = false;
  list.focus();
}

function stop(words) {
  closed = true;
  streaming?.abort();
  $('stop').textContent = words;
  $('ban').hidden = true;
  show('stop');
}

/* ── saying something ── */
function say(text, files = []) {
  const message = { id: crypto.randomUUID ? crypto.randomUUID() : `${Date.now()}-${Math.random().toString(36).slice(2)}`, n: ++count, text, at: new Date().toISOString() };
  if (files.length) message.files = files; else store.set(`q:${message.id}`, message);
  queue.push(message);
  draw({ id: '', client: message.id, mine: true, text, at: Date.now(), state: online ? 'sending' : 'waiting', files });
  $('log').scrollTop = $('log').scrollHeight;
  flush();
}

function settle(message) {
  queue = queue.filter((m) => m !== message);
  store.drop(`q:${message.id}`);
}

function batch() {
  if (queue[0].files) return [queue[0]];
  const end = queue.findIndex((m) => m.files);
  return queue.slice(0, Math.min(end < 0 ? queue.length : end, 20));
}

async function flush() {
  if (busy || closed || !queue.length) return;
  if (!me) return void (asks() ? show('form') : tryBegin({}));
  busy = true;
  try {
    while (queue.length && !closed) if (!await sendSome()) break;
  } finally { busy = false; }
}

let alone = false;
async function sendSome() {
  const some = alone ? queue.slice(0, 1) : batch();
  let answer;
  try {
    const messages = some.map(({ id, text, at, files }) => ({ id, text, at, ...(files && { files: files.map(({ name, type, content_base64 }) => ({ name, type, content_base64 })) }) }));
    answer = await ask('/messages', { messages, from: me.from, page }, some[0].files ? 120 : 20);
  } catch { lost(flush); return false; }
  const { ok, status, said, wait } = answer;
  if (ok) {
    alone = false;
    connected(true);
    for (const m of some) {
      const no = said.refused.find((r) => r.id === m.id);
      settle(m);
      mark(m.id, no ? 'failed' : 'sent', no?.detail);
    }
    return true;
  }
  if (status === 401) { forget(); return false; }
  if (said.blocked || status === 404) { stop(said.detail || W.blocked); return false; }
  if ([400, 403, 413, 415, 422].includes(status)) {
    if (some.length > 1) { alone = true; return true; }
    settle(some[0]);
    mark(some[0].id, 'failed', said.detail || String(status));
    alone = false;
    return true;
  }
  lost(flush, wait);
  return false;
}

/* The hub does not know this token (any more): begin anew and keep what is not said yet. */
function forget() {
  const from = me?.from || {};
  me = null;
  store.drop('me');
  streaming?.abort();
  tryBegin({ ...from, consent: !!from.consent }).then((trouble) => { if (trouble?.status === 422) show('form'); });
}

/* ── without connection ── */
const again = new Set();
function lost(next, wait = 0) {
  if (closed) return;
  again.add(next);
  online = false;
  for (const m of queue) mark(m.id, 'waiting');
  header();
  $('lost').textContent = W.lost;
  $('ban').hidden = false;
  if (timer) return;
  let left = Math.max(wait, Math.min(failures > 11 ? 30 : 2, 2 ** failures++) * (0.5 + Math.random() * 1.5));
  const tick = () => {
    $('next').textContent = fill(W.next, { n: Math.max(1, Math.ceil(left)) });
    if (left <= 0) return retry();
    timer = setTimeout(() => { left -= 1; tick(); }, Math.min(1000, left * 1000));
  };
  tick();
}

function retry() {
  clearTimeout(timer);
  timer = 0;
  const all = [...again];
  again.clear();
  for (const next of all) next();
}

function connected(yes) {
  failures = 0;
  if (!yes || online) return;
  online = true;
  $('ban').hidden = true;
  clearTimeout(timer);
  timer = 0;
  $('said').textContent = W.online;
  header();
  for (const m of queue) mark(m.id, 'sending');
  retry();
}
$('now').addEventListener('click', retry);
addEventListener('online', () => { if (!online) retry(); });
addEventListener('offline', () => lost(flush));

/* ── listening ── */
async function listen() {
  if (streaming || !me || closed) return;
  const stopper = streaming = new AbortController();
  let watch, again_ = 0;
  const alive = () => { clearTimeout(watch); watch = setTimeout(() => stopper.abort(), 45000); };
  try {
    alive();
    const answer = await fetch(`${base}/events`, {
      headers: { Accept: 'text/event-stream', 'Accept-Language': given.lang, Authorization: `Bearer ${me.token}` },
      credentials: 'omit', cache: 'no-store', signal: stopper.signal,
    });
    if (!answer.ok) {
      let said = {};
      try { said = await answer.json(); } catch { /* a proxy's page */ }
      streaming = null;
      if (answer.status === 401) return forget();
      if (said.blocked || answer.status === 404) return stop(said.detail || W.blocked);
      again_ = Number(answer.headers.get('Retry-After')) || 0;
    } else {
      connected(true);
      flush();
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      for (let rest = ''; ;) {
        const { value, done } = await reader.read();
        if (done) break;
        alive();
        const parts = (rest + value).split('\n\n');
        rest = parts.pop();
        parts.forEach(hear);
      }
    }
  } catch { /* cut off: the line below tries again */ } finally { clearTimeout(watch); }
  if (streaming !== stopper && streaming !== null) return;
  streaming = null;
  if (me && !closed) lost(listen, again_);
}

function hear(block) {
  const kind = /^event: (\w+)$/m.exec(block)?.[1], data = /^data: (.*)$/m.exec(block)?.[1];
  if (!kind || !data) return;
  const said = JSON.parse(data);
  if (kind === 'all') { opens = said.opens; state = said.state; said.messages.forEach(draw); for (const m of queue) { if (!rows.has(m.id)) drawWaiting(m); } }
  if (kind === 'typing') { dots(true); return; }
  if (kind === 'said') { if (!said.mine) dots(false); draw(said); if (!said.mine && open) $('said').textContent = ''; }
  if (kind === 'state') state = said;
  if (kind === 'all' && said.messages.length && $('start').hidden === false && open) show('log');
  header();
  statuses();
  tellRead();
}
