/* The chat's button. Nothing is asked of any server and nothing is stored before somebody clicks it. */
(() => {
  const given = __GIVEN__;
  const me = document.currentScript;
  if (!me) return;
  const base = me.src.replace(/\/embed\.js.*$/, '');
  const home = new URL(base).origin, mark = `hub-chat:${base.split('/').pop()}`;
  if (window[mark]) return;
  window[mark] = true;
  const wish = (me.dataset.lang || document.documentElement.lang || navigator.language || 'en').slice(0, 2).toLowerCase();
  const lang = given.labels[wish] ? wish : 'en', words = given.labels[lang];
  const side = me.dataset.side === 'left' || (me.dataset.side !== 'right' && given.side === 'left') ? 'left' : 'right';
  const layer = parseInt(me.dataset.z, 10) || 2147483000;
  const look = `
    :host{all:initial!important;position:fixed!important;inset:auto 0 0 auto!important;z-index:${layer}!important}
    button{position:fixed;${side}:1.5rem;bottom:1.5rem;width:3.75rem;height:3.75rem;border:0;padding:0;border-radius:50%;cursor:pointer;
      display:grid;place-items:center;background:${given.colour};color:#fff;box-shadow:0 8px 24px rgb(24 48 140/.35)}
    button:focus-visible{outline:3px solid ${given.colour};outline-offset:3px;box-shadow:0 0 0 3px #fff}
    svg{width:1.75rem;height:1.75rem;fill:none;stroke:currentColor;stroke-width:1.8;stroke-linecap:round;stroke-linejoin:round}
    b{position:absolute;top:-.125rem;right:-.125rem;min-width:1.375rem;height:1.375rem;border-radius:1rem;background:#c81e2c;color:#fff;
      box-shadow:0 0 0 2px #fff;font:600 .75rem/1.375rem system-ui,sans-serif;text-align:center}
    iframe{position:fixed;${side}:1.5rem;bottom:6.25rem;width:24.5rem;height:min(43rem,calc(100dvh - 7.75rem));border:0;
      border-radius:1.125rem;box-shadow:0 2px 6px rgb(20 28 48/.12),0 18px 40px -8px rgb(20 28 48/.3);background:transparent;color-scheme:normal}
    .hi{position:fixed;${side}:1.5rem;bottom:6.25rem;display:flex;max-width:min(18rem,calc(100vw - 3rem));background:#fff;color:#16213c;border-radius:1rem;
      box-shadow:0 2px 6px rgb(20 28 48/.12),0 12px 32px -8px rgb(20 28 48/.3);font:400 .9375rem/1.4 system-ui,sans-serif}
    .hi button{position:static;width:auto;height:auto;min-height:2.75rem;min-width:2.75rem;border-radius:1rem;background:none;color:inherit;box-shadow:none;font:inherit;padding:.75rem 1rem;text-align:start;overflow-wrap:anywhere}
    .hi button+button{padding:0;flex:none}
    @media (forced-colors:active){.hi{border:1px solid CanvasText}}
    [hidden]{display:none!important}
    @media (max-width:45rem){iframe{inset:0;width:100%;height:100%;border-radius:0}.open{display:none}}
    @media (forced-colors:active){button{border:2px solid ButtonText}}
    @media print{:host{display:none!important}}`;
  const shapes = {
    chat: 'M12 4.4c4.9 0 8.6 3.2 8.6 7.3S16.9 19 12 19c-.9 0-1.8-.1-2.6-.3L5 20.4l.9-3.5c-1.6-1.3-2.5-3.1-2.5-5.2 0-4.1 3.7-7.3 8.6-7.3z',
    down: 'm6.5 9.5 5.5 5.5 5.5-5.5',
  };
  let frame, unread = 0, ready = false, open = false;
  const data = me.dataset, told = (w) => (w && (w.user || w.jwt) ? w : null);
  let who = told(window.hubChatUser) || told(data);
  const place = document.createElement('div'), root = place.attachShadow({ mode: 'open' });
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(look);
  root.adoptedStyleSheets = [sheet];
  const button = document.createElement('button'), count = document.createElement('b');
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg'), path = svg.appendChild(document.createElementNS(svg.namespaceURI, 'path'));
  svg.setAttribute('viewBox', '0 0 24 24');
  svg.setAttribute('aria-hidden', 'true');
  button.type = 'button';
  button.append(svg, count);
  root.append(button);

  const show = () => {
    button.setAttribute('aria-expanded', String(open));
    button.setAttribute('aria-label', open ? words.close : unread ? words.new.replace('{n}', unread) : words.open);
    button.className = open ? 'open' : '';
    path.setAttribute('d', open ? shapes.down : shapes.chat);
    count.hidden = open || !unread;
    count.textContent = unread > 9 ? '9+' : unread;
    if (frame) frame.hidden = !open;
  };
  const tell = () => { if (ready) frame.contentWindow.postMessage({ hub: 'chat', open, who: who && { user: `${who.user || ''}`, signature: `${who.signature || ''}`, jwt: `${who.jwt || ''}`, name: `${who.name || ''}`, email: `${who.email || ''}` } }, home); };
  window.hubChat = { identify(w) { who = told(w); tell(); }, open() { turn(true); }, close() { turn(false); } };
  const load = () => {
    if (frame) return;
    frame = document.createElement('iframe');
    frame.title = words.frame;
    frame.hidden = true;
    frame.src = `${base}?lang=${lang}#${encodeURIComponent(location.origin + location.pathname)}`;
    root.append(frame);
  };
  const turn = (to) => {
    load();
    open = to;
    root.querySelector('.hi')?.remove();
    show();
    tell();
    if (open) frame.focus(); else button.focus();
  };
  button.addEventListener('click', () => turn(!open));
  addEventListener('message', (e) => {
    if (!frame || e.source !== frame.contentWindow || e.origin !== home || !e.data || e.data.hub !== 'chat') return;
    if (e.data.ready) { ready = true; tell(); }
    if (e.data.close) turn(false);
    if (e.data.guest) console.warn(e.data.guest);
    if (Number.isInteger(e.data.unread)) { unread = e.data.unread; show(); }
    if (e.data.begun) try { localStorage.setItem(mark, '1'); } catch { /* this page keeps nothing: no badge next time */ }
  });
  /* The greeting beside the button: once per page, on the pages the firm chose, and no more after "not now". */
  const chosen = () => !given.pages.length || given.pages.some((p) => new RegExp(`^${p.split('*').map((t) => t.replace(/[.+?^${}()|[\]\\]/g, '\\$&')).join('.*')}$`).test(location.pathname));
  const invite = () => {
    let declined = false;
    try { declined = sessionStorage.getItem(mark) === 'no'; } catch { /* not allowed: greet */ }
    if (frame || open || declined || !chosen()) return;
    const bubble = document.createElement('div'), text = document.createElement('button'), no = document.createElement('button');
    bubble.className = 'hi';
    text.type = no.type = 'button';
    text.textContent = words.hello;
    no.textContent = '×';
    no.setAttribute('aria-label', words.dismiss);
    text.addEventListener('click', () => turn(true));
    no.addEventListener('click', () => { bubble.remove(); button.focus(); try { sessionStorage.setItem(mark, 'no'); } catch { /* greeted again on the next page */ } });
    bubble.append(text, no);
    root.append(bubble);
  };
  const draw = () => {
    show();
    if (given.after) setTimeout(invite, given.after * 1000);
    document.body.append(place);
    let begun = false;
    try { begun = localStorage.getItem(mark) === '1'; } catch { /* not allowed: wait for the click */ }
    if (begun) (window.requestIdleCallback || setTimeout)(load);
  };
  if (document.body) draw(); else addEventListener('DOMContentLoaded', draw);
})();
