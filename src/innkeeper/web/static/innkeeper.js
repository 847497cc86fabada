/* innkeeper.js: what happens in a page, told to Innkeeper. Apache-2.0. docs/browser.md says how it is used.
 * Nothing here throws into the page. Objects from outside are copied into maps without a prototype before use. */
(() => {
  "use strict";
  const VERSION = "1.0.0";
  const MOST = { events: 1000, bytes: 1e6, batch: 100, body: 60000, event: 32 * 1024 - 2048, keys: 990, depth: 16 };
  const SOON = 200, LATER = 500, PATIENCE = 30000, LONGEST_WAIT = 300000, OLDEST = 30 * 86400000;
  const NAME = "innkeeper", ID = NAME + ".id", CHOICES = NAME + ".choices", LOST = NAME + ".lost", QUEUE = NAME + ".q.";
  const POLLUTING = ["__proto__", "constructor", "prototype"];
  const METHODS = ["page", "track", "identify", "group", "alias", "reset", "ready", "setUserToken", "consent"];
  const script = document.currentScript;
  const map = (...parts) => Object.assign(Object.create(null), ...parts);

  let options = null, calls = [], here = "";
  let timer = 0, notBefore = 0, failures = 0, sending = false, count = 0;
  // Tokens stay in this page's memory. `signer` is the user whose token was set last; an event said under a token is
  // sent under a token of that same user, or waits for one: sent without, it would be a second event.
  let tokens = map(), signer = null;
  // Names of events that are on their way, that this page made, and that are the user's own words on consent.
  const flying = new Set(), mine = new Set(), words = new Set();

  const tell = (code, message, event) => {
    try {
      if (options && typeof options.onRefused === "function") options.onRefused({ code, message, event });
      else console.warn("innkeeper:", code, message);
    } catch (error) { console.warn("innkeeper: onRefused has failed", error); }
  };
  const failed = (error) => tell((error && error.code) || "failed", String((error && error.message) || error));
  const guarded = (call) => (...given) => {
    try {
      const result = call(...given);
      return result && result.catch ? result.catch(failed) : result;
    } catch (error) { failed(error); }
  };
  const uuid = () => crypto.randomUUID ? crypto.randomUUID() : "10000000-1000-4000-8000-100000000000".replace(
    /[018]/g, (c) => (c ^ (crypto.getRandomValues(new Uint8Array(1))[0] & (15 >> (c / 4)))).toString(16));
  const bytes = (text) => new TextEncoder().encode(text).length;
  const parse = (text) => {
    try { return copy(JSON.parse(text)); } catch { return null; }
  };
  const isObject = (value) => typeof value === "object" && value !== null;

  // A deep copy of what JSON can say: no prototypes, no keys that pollute one, no circles.
  const copy = (value, path = [], seen = { keys: 0 }) => {
    if (typeof value === "string") return value.toWellFormed ? value.toWellFormed() : value;
    if (typeof value === "bigint") return String(value);
    if (!isObject(value)) return typeof value === "function" || typeof value === "symbol" ? undefined : value;
    if (path.includes(value) || path.length >= MOST.depth) return undefined;
    const inside = [...path, value];
    if (typeof value.toJSON === "function") return copy(value.toJSON(), inside, seen);
    const list = Array.isArray(value), out = list ? [] : map();
    for (const key of Object.keys(value)) {
      if (POLLUTING.includes(key)) continue;
      const each = copy(value[key], inside, seen);
      if (list) out.push(each === undefined ? null : each);
      else if (++seen.keys > MOST.keys) throw { code: "too-many-keys", message: `more than ${MOST.keys} keys` };
      else if (each !== undefined) out[key] = each;
    }
    return out;
  };

  // A cookie in a storage's place: it keeps the ids and refuses the rest, which then stays in memory.
  const jar = {
    getItem: (name) => {
      const found = document.cookie.split("; ").find((each) => each.startsWith(name + "="));
      return found ? decodeURIComponent(found.slice(name.length + 1)) : null;
    },
    setItem: (name, text) => {
      if (name !== ID) throw Error("ids only");
      const secure = location.protocol === "https:" ? "; secure" : "";
      document.cookie = `${name}=${encodeURIComponent(text)}; path=/; max-age=31536000; samesite=lax${secure}`;
    },
    removeItem: (name) => { document.cookie = `${name}=; path=/; max-age=0`; },
  };
  const webStorage = (kind) => {
    try { return window[kind + "Storage"].length >= 0 ? window[kind + "Storage"] : null; } catch { return null; }
  };

  // Where ids and waiting events are: in the browser's storage where that is allowed and works, else in memory.
  const memory = new Map();
  let web = null;
  const shelf = {
    get: (name) => {
      if (memory.has(name)) return memory.get(name);
      try { return web && web.getItem(name); } catch { return null; }
    },
    set: (name, text) => {
      memory.set(name, text);
      try {
        if (web) {
          web.setItem(name, text);
          memory.delete(name);
        }
      } catch { /* It is full, or refuses: memory has it. */ }
    },
    remove: (name) => {
      memory.delete(name);
      try { if (web) web.removeItem(name); } catch { /* What cannot be written cannot hold it. */ }
    },
    names: () => [...new Set([...memory.keys(), ...(web ? Object.keys(web) : [])])],
  };
  const wipe = (storage) => {
    for (const name of Object.keys(storage)) if (name.startsWith(NAME + ".")) storage.removeItem(name);
  };
  const signal = () => navigator.globalPrivacyControl === true;
  // Under Global Privacy Control nothing outlives the visit.
  const findStorage = () => {
    const kind = signal() && options.storage === "local" ? "session" : options.storage;
    if (kind === "none") return null;
    return webStorage(kind) || (kind === "local" && navigator.cookieEnabled ? jar : null);
  };
  const settle = (storage) => {
    web = storage;
    for (const each of [webStorage("local"), webStorage("session")]) if (each && each !== web) wipe(each);
    if (navigator.cookieEnabled && web !== jar) jar.removeItem(ID);
    for (const [name, text] of memory) shelf.set(name, text);
  };

  // Read anew each time: another tab may have changed it.
  const me = () => {
    const { anonymousId, userId } = parse(shelf.get(ID)) || map();
    return anonymousId ? { anonymousId, userId: userId || null } : become({ anonymousId: uuid(), userId: null });
  };
  const become = (ids) => {
    shelf.set(ID, JSON.stringify(ids));
    return ids;
  };
  const choices = () => {
    const kept = parse(shelf.get(CHOICES)) || map();
    return { said: kept.said || map(), told: kept.told || map() };
  };
  const allowed = () => {
    const required = options.consentRequired, { said } = choices();
    return !required || (typeof required === "string" ? said[required] === true : Object.values(said).includes(true));
  };

  const pageFields = () => {
    const link = document.querySelector("link[rel=canonical]"), canonical = link && link.href && new URL(link.href);
    const { search } = location;
    let url = canonical ? canonical.href : location.href.split("#")[0];
    if (canonical && !canonical.search) url += search;
    const { pathname: path } = canonical || location;
    return { path, referrer: document.referrer, search, title: document.title, url };
  };
  const campaign = () => {
    const found = map();
    for (const [key, value] of new URLSearchParams(location.search)) {
      const name = key.startsWith("utm_") ? key.slice(4) : "";
      if (name && !POLLUTING.includes(name)) found[name === "campaign" ? "name" : name] = value;
    }
    return found;
  };
  const context = () => {
    const about = map({
      library: { name: "innkeeper.js", version: VERSION }, page: pageFields(), userAgent: navigator.userAgent,
      locale: navigator.language, timezone: Intl.DateTimeFormat().resolvedOptions().timeZone,
      screen: { width: screen.width, height: screen.height, density: devicePixelRatio },
    });
    const from = campaign(), lost = Number(shelf.get(LOST));
    if (Object.keys(from).length) about.campaign = from;
    if (lost) {
      about.dropped = lost;
      shelf.remove(LOST);
    }
    return about;
  };

  const say = (type, fields, more) => {
    // Another tab may have taken the consent back.
    if (web && !allowed()) forget();
    const ids = me(), given = isObject(more) ? copy(more) : map();
    const event = copy(map(
      { type, messageId: uuid(), timestamp: given.timestamp || new Date().toISOString(), anonymousId: ids.anonymousId },
      ids.userId === null ? {} : { userId: ids.userId }, fields, { context: map(context(), given.context) },
    ));
    const text = JSON.stringify(event);
    if (bytes(text) > MOST.event) return tell("too-large", `the event has more than ${MOST.event} bytes`, event);
    const isSigned = signer !== null && event.userId === signer;
    const order = `${Date.now()}.${String(++count).padStart(6, 0)}`;
    const name = `${QUEUE}${order}.${+isSigned}.${event.messageId}.${options.key}`;
    mine.add(name);
    shelf.set(name, text);
    bound();
    schedule(SOON);
    return name;
  };
  const waiting = () =>
    shelf.names().filter((each) => each.startsWith(QUEUE) && each.endsWith("." + options.key)).sort();
  const remove = (name) => {
    for (const set of [mine, flying, words]) set.delete(name);
    shelf.remove(name);
  };
  // The oldest events go where there are too many; how many went is told in the next event's context.
  const bound = () => {
    const names = waiting(), sizes = names.map((name) => (shelf.get(name) || "").length);
    let size = sizes.reduce((a, b) => a + b, 0), lost = 0;
    for (let i = 0; i < names.length; i++) {
      const isOld = names[i].split(".")[2] < Date.now() - OLDEST;
      if (!isOld && names.length - i <= MOST.events && size <= MOST.bytes) break;
      const event = parse(shelf.get(names[i]));
      lost += 1 + ((event && event.context && event.context.dropped) || 0);
      size -= sizes[i];
      remove(names[i]);
    }
    if (lost) shelf.set(LOST, String(Number(shelf.get(LOST)) + lost));
  };

  // The next events that may be sent, and the body that sends them.
  const next = (wanted = () => true) => {
    const names = [], batch = [], isOpen = allowed();
    let size = 200;
    for (const name of waiting()) {
      const event = !flying.has(name) && wanted(name) && (isOpen || words.has(name)) ? parse(shelf.get(name)) : null;
      if (!event) continue;
      if (name.split(".")[4] === "1") {
        if (!tokens[event.userId]) continue;
        event.userToken = tokens[event.userId];
      }
      size += bytes(JSON.stringify(event)) + 1;
      if (batch.length === MOST.batch || (batch.length && size > MOST.body)) break;
      names.push(name);
      batch.push(event);
    }
    const envelope = { writeKey: options.key, sentAt: new Date().toISOString(), batch };
    if (signal()) envelope.gpc = true;
    return { names, batch, body: JSON.stringify(envelope) };
  };
  const schedule = (ms) => {
    if (!timer) timer = setTimeout(flush, Math.max(ms, notBefore - Date.now()));
  };
  const flush = guarded(async () => {
    clearTimeout(timer);
    timer = 0;
    // What another tab says is heard a moment later: what was kept in between goes now.
    if (web && !allowed()) forget();
    if (sending || navigator.onLine === false) return;
    if (Date.now() < notBefore) return schedule(0);
    sending = true;
    try {
      // Tabs share what waits in localStorage: one of them sends at a time.
      if (web && web === webStorage("local") && navigator.locks) {
        const turn = (lock) => lock ? drain() : schedule(LATER);
        await navigator.locks.request(QUEUE + options.key, { ifAvailable: true }, turn);
      } else await drain();
    } finally { sending = false; }
  });
  const drain = async () => {
    for (let batch = next(); batch.names.length; batch = next()) {
      batch.names.forEach((name) => flying.add(name));
      try {
        if (!await send(batch)) return;
      } finally { batch.names.forEach((name) => flying.delete(name)); }
    }
  };
  // Whether the server has answered for good.
  const send = async ({ names, batch, body }) => {
    let answer = null, told = null;
    try {
      answer = await fetch(options.host + "/v1/b", {
        method: "POST", body, headers: { "Content-Type": "text/plain" }, keepalive: true, credentials: "omit",
        signal: AbortSignal.timeout ? AbortSignal.timeout(PATIENCE) : undefined,
      });
      told = copy(await answer.json());
    } catch { /* No answer, or not the server's: it is tried again below. */ }
    const status = answer ? answer.status : 0;
    if (status < 400 ? !(told && told.success) : status === 408 || status === 429 || status >= 500) {
      const asked = Number(answer && answer.headers.get("Retry-After")) * 1000;
      const wait = asked || 1000 * 2 ** failures++ * (0.5 + Math.random() / 2);
      notBefore = Date.now() + Math.min(wait, LONGEST_WAIT);
      schedule(0);
      return false;
    }
    failures = notBefore = 0;
    const all = batch.map((_, index) => map({ index, code: "failed", message: `HTTP ${status}` }, told));
    const waits = new Set();
    for (const { index, code, message } of status < 400 ? told.refused || [] : all) {
      if (code === "bad-user-token" || code === "no-token-secret") {
        // Until a better token comes, what was said under this one waits.
        delete tokens[batch[index].userId];
        waits.add(names[index]);
      }
      tell(code, message, copy({ ...batch[index], userToken: undefined }));
    }
    names.filter((name) => !waits.has(name)).forEach(remove);
    return true;
  };
  // What is still here when the page goes is sent once more without waiting for an answer. It stays on the shelf: the
  // next page sends it again, and the server knows it by its messageId.
  const leave = guarded(() => {
    const { names, body } = next((name) => mine.has(name));
    if (names.length && navigator.onLine !== false) navigator.sendBeacon(options.host + "/v1/b", body);
  });

  // No longer welcome: what waits and what was kept goes. In memory stay who is here and their own words on consent.
  const forget = () => {
    const said = [...words, CHOICES].map((name) => [name, shelf.get(name)]), { userId } = me();
    settle(null);
    memory.clear();
    for (const [name, text] of said) if (text) memory.set(name, text);
    become({ anonymousId: uuid(), userId });
  };

  const methods = {
    track: (event, properties, more) => { say("track", { event: String(event), properties: properties || {} }, more); },
    page: (...given) => {
      const texts = given.filter((each) => typeof each === "string");
      const [properties, more] = given.filter(isObject), [name, category] = texts.slice(0, 2).reverse();
      const own = copy({ name, category });
      say("page", { ...own, properties: map(pageFields(), own, copy(properties)) }, more);
    },
    identify: (user, traits, more) => {
      if (isObject(user)) [user, traits, more] = [null, user, traits];
      const ids = me(), userId = user === null || user === undefined || user === "" ? ids.userId : String(user);
      // Another person: what the browser did before them is not theirs.
      if (ids.userId !== null && userId !== ids.userId) ids.anonymousId = uuid();
      become({ anonymousId: ids.anonymousId, userId });
      say("identify", { traits: traits || {} }, more);
    },
    group: (groupId, traits, more) => { say("group", { groupId: String(groupId), traits: traits || {} }, more); },
    alias: (userId, previousId, more) => {
      say("alias", { userId: String(userId), previousId: String(previousId || me().anonymousId) }, more);
    },
    reset: () => {
      signer = null;
      become({ anonymousId: uuid(), userId: null });
      shelf.set(CHOICES, JSON.stringify({ said: choices().said }));
    },
    ready: (call) => { setTimeout(guarded(() => call(api))); },
    setUserToken: (token) => {
      signer = null;
      if (!token) return;
      try {
        const payload = atob(token.split(".")[1].replace(/-/g, "+").replace(/_/g, "/"));
        const { sub } = JSON.parse(new TextDecoder().decode(Uint8Array.from(payload, (c) => c.charCodeAt(0))));
        tokens[sub.toString()] = token;
        signer = sub.toString();
      } catch { throw { code: "bad-user-token", message: "the user token is no JSON Web Token with a 'sub'" }; }
      schedule(SOON);
    },
    consent: (given, details) => {
      const { said, told } = choices(), was = allowed(), news = [];
      const more = copy(details || {}), { channel, topic } = more;
      for (const [purpose, isGiven] of Object.entries(copy(given))) {
        if (typeof isGiven !== "boolean") continue;
        said[purpose] = isGiven;
        const key = JSON.stringify([me().userId, purpose, channel, topic]);
        if (told[key] === isGiven) continue;
        if (signer === null || me().userId !== signer) {
          tell("needs-user-token", `'${purpose}' holds in this browser only: set the user's token, then identify them`);
          continue;
        }
        told[key] = isGiven;
        news.push([isGiven ? "Consent Given" : "Consent Withdrawn", map(more, { purpose })]);
      }
      shelf.set(CHOICES, JSON.stringify({ said, told }));
      for (const [event, properties] of news) words.add(say("track", { event, properties }));
      if (!was && allowed()) settle(findStorage());
      if (was && !allowed()) forget();
      schedule(SOON);
    },
  };

  const watchHistory = () => {
    const turned = guarded(() => {
      const now = location.pathname + location.search;
      if (now === here) return;
      here = now;
      methods.page();
    });
    for (const name of ["pushState", "replaceState"]) {
      const original = history[name];
      history[name] = function (...given) {
        const result = original.apply(this, given);
        setTimeout(turned);
        return result;
      };
    }
    addEventListener("popstate", () => setTimeout(turned));
    turned();
  };
  const load = (given) => {
    if (options) return;
    // Nobody has seen a page that is only rendered in advance.
    if (document.prerendering) {
      document.addEventListener("prerenderingchange", guarded(() => load(given)), { once: true });
      return;
    }
    if (!given || !given.key) throw { code: "no-key", message: "load needs the key of a public source" };
    const base = script && script.src ? script.src.replace(/\/[^/]*$/, "") : location.origin;
    options = map({ storage: "local" }, given);
    options.host = String(options.host || base).replace(/\/+$/, "");
    // With consent required, the choice that was kept is all that is looked at before.
    web = findStorage();
    if (allowed()) settle(web);
    else web = null;
    addEventListener("pagehide", leave);
    addEventListener("online", () => {
      failures = notBefore = 0;
      clearTimeout(timer);
      flush();
    });
    document.addEventListener("visibilitychange", () => { if (document.hidden) flush(); });
    const early = calls;
    calls = [];
    if (options.userToken) guarded(methods.setUserToken)(options.userToken);
    for (const [method, ...args] of early) if (METHODS.includes(method)) guarded(methods[method])(...args);
    if (options.autoPage) watchHistory();
    schedule(SOON);
  };

  const api = map();
  for (const name of METHODS) {
    api[name] = guarded((...given) => { if (options) methods[name](...given); else calls.push([name, ...given]); });
  }
  api.load = guarded(load);
  api.user = guarded(() => ({ id: () => options && me().userId, anonymousId: () => options && me().anonymousId }));
  const stub = window[NAME];
  window[NAME] = api;
  if (Array.isArray(stub)) {
    calls = stub.filter((call) => call[0] !== "load");
    // Whoever has kept the snippet's object goes on calling it.
    stub.push = ([method, ...args]) => api[method](...args);
    const loading = stub.find((call) => call[0] === "load");
    if (loading) api.load(loading[1]);
  }
  if (script && script.dataset.key) {
    const { key, host, storage, consentRequired, autoPage } = script.dataset;
    const more = { consentRequired: consentRequired === "" ? true : consentRequired, autoPage: autoPage !== undefined };
    api.load(map({ key }, host && { host }, storage && { storage }, more));
  }
})();
