// The page: connection, cameras, tiles and the full view, joined together.

import { Account } from './account.js';
import { Announcer } from './announce.js';
import { byName, Cameras } from './cameras.js';
import { Feed } from './feed.js';
import { Focus } from './focus.js';
import { Client } from './mqtt.js';
import { here } from './safety.js';
import { ask, checkUser, Refused } from './session.js';
import { Stills } from './stills.js';
import { clean, put } from './text.js';
import { Tile } from './tile.js';

const TICK = 500; // ms
const AWAY = 60_000; // ms hidden until the connection is given up
const RENEW = 30 * 60_000; // ms between requests that renew the session: a WebSocket alone does not
const EMPTY_AFTER = 1_500; // ms: cameras answer hello within half a second
const REST_EVERY = 10; // ticks between looks at tiles that cannot be seen

customElements.define('cam-tile', Tile);
customElements.define('cam-focus', Focus);
customElements.define('cam-account', Account);

/**
 * @template {HTMLElement} T
 * @param {string} id
 * @param {new () => T} kind
 * @returns {T}
 */
function element(id, kind) {
	const found = document.getElementById(id);
	if (!(found instanceof kind)) throw new Error(`the page has no ${kind.name} ${id}`);
	return found;
}

const root = document.documentElement;
const grid = element('grid', HTMLElement);
const focus = element('focus-view', Focus);
const announcer = new Announcer(element('announce', HTMLElement));

const base = root.dataset.base || 'cam';
const viewer = randomID();
const account = element('account', Account);
const stills = new Stills(element('stills', HTMLElement));
// The client identifier is a secret of this page: a client that knows it can end the connection.
const client = new Client({ url: socketAddress(), id: randomID(), beforeConnect: check });
const cameras = new Cameras(client, base);
/** @type {Map<string, {feed: Feed, tile: Tile, named: string}>} */
const shown = new Map();
let upSince = 0;
let ticks = 0;
let denied = false;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let leaving;

/** An identifier that no other page can guess, within the 23 characters of [MQTT-3.1.3-5]. */
function randomID() {
	return `web-${[...crypto.getRandomValues(new Uint32Array(2))].map((n) => n.toString(36)).join('')}`;
}

/** Before each connection: the server knows whether it would refuse the WebSocket. */
async function check() {
	try {
		await checkUser((me) => account.show(me));
		stills.on = false;
	} catch (e) {
		stills.on = e instanceof Refused && e.status === 403; // no live connection for this account
		throw e;
	}
}

function socketAddress() {
	const url = here('mqtt');
	url.protocol = location.protocol === 'https:' ? 'wss:' : 'ws:';
	return url.href;
}

/** @param {import('./cameras.js').Camera} camera */
function add(camera) {
	const feed = new Feed({ camera, cameras, client, base, viewer });
	feed.awake = !document.hidden;
	const tile = new Tile();
	shown.set(camera.id, { feed, tile, named: camera.name });
	tile.open(feed);
	tile.covered = focus.isOpen;
	place(camera, tile);
	count();
	followHash();
}

/**
 * place puts a tile where the order of names wants it, and leaves it alone when
 * it is there: moving one interrupts its pictures.
 * @param {import('./cameras.js').Camera} camera
 * @param {Tile} tile
 */
function place(camera, tile) {
	const tiles = /** @type {Tile[]} */ ([...grid.children]);
	const before = (/** @type {Tile} */ t) => t.feed !== null && byName(t.feed.camera, camera) < 0;
	const at = tiles.indexOf(tile);
	if (at >= 0 && tiles.slice(0, at).every(before) && !tiles.slice(at + 1).some(before)) return;
	const held = tile.contains(document.activeElement) ? document.activeElement : null;
	grid.insertBefore(tile, tiles.find((t) => t !== tile && !before(t)) ?? null);
	if (held instanceof HTMLElement) held.focus({ preventScroll: true }); // moving it has taken the keyboard away
}

/** @param {import('./cameras.js').Camera} camera */
function remove(camera) {
	const gone = shown.get(camera.id);
	if (!gone) return;
	if (focus.feed === gone.feed) focus.close();
	gone.tile.remove();
	gone.feed.close();
	shown.delete(camera.id);
	count();
}

/** @param {import('./cameras.js').Camera} camera */
function change(camera) {
	const c = shown.get(camera.id);
	if (!c) return;
	if (c.named !== camera.name) place(camera, c.tile);
	c.named = camera.name;
	c.feed.update();
}

function count() {
	const n = shown.size;
	element('count', HTMLElement).textContent = n === 0 ? '' : `${n} ${n === 1 ? 'camera' : 'cameras'}`;
	grid.dataset.count = String(Math.min(n, 3));
	banner(); // at once: the hint that there are no cameras must not stand beside the first
}

function followHash() {
	const id = location.hash.slice(1);
	const c = shown.get(id);
	if (c && document.querySelector('dialog.box[open]')) return; // a user types there; followed when it closes
	if (!c) {
		if (!id) focus.close();
		return;
	}
	if (focus.isOpen && focus.feed === c.feed) return;
	focus.open(c.feed);
	cover(true);
}

/** @param {boolean} yes whether the full view lies over the tiles */
function cover(yes) {
	for (const { tile } of shown.values()) tile.covered = yes;
}

function left() {
	cover(false);
	if (location.hash) history.replaceState(null, '', location.pathname + location.search);
}

/** @param {number} by */
function step(by) {
	const list = cameras.list();
	const at = list.findIndex((c) => c.id === focus.feed?.camera.id);
	if (at < 0 || list.length < 2) return;
	const next = list[(at + by + list.length) % list.length];
	history.replaceState(null, '', `#${next.id}`);
	followHash();
}

/** @param {string} words */
function sentence(words) {
	return `${words.slice(0, 1).toUpperCase()}${words.slice(1)}${/[.!?…]$/.test(words) ? '' : '.'}`;
}

function banner() {
	const { state, reason, retryAt } = client.status;
	const why = clean(reason, 400);
	const words = {
		idle: 'Resting while nobody looks.',
		connecting: 'Connecting to the broker…',
		up: denied ? 'The broker does not let this page see the cameras.' : '',
		down: sentence(why),
		refused: stills.on ? sentence(why) : `The broker refuses this page: ${sentence(why)}`,
	};
	const wait = retryAt > 0 && !stills.on ? `Again in ${Math.max(0, Math.ceil((retryAt - Date.now()) / 1000))} s.` : '';
	put(element('banner-text', HTMLElement), words[state]);
	put(element('banner-wait', HTMLElement), wait); // counts outside the live region
	element('banner', HTMLElement).hidden = words[state] === '';
	element('retry', HTMLElement).hidden = retryAt === 0 || stills.on;
	root.dataset.broker = state === 'idle' ? 'down' : state;
	const waited = upSince > 0 && Date.now() - upSince > EMPTY_AFTER;
	element('empty', HTMLElement).hidden = shown.size > 0 || !waited || denied;
	stranger(waited);
}

/**
 * stranger says when the address names a camera that is not there, as a link
 * from elsewhere may.
 * @param {boolean} waited whether cameras have had time to answer
 */
function stranger(waited) {
	const id = location.hash.slice(1);
	const lost = waited && !denied && id !== '' && !shown.has(id);
	if (lost) put(element('unknown-text', HTMLElement), `There is no camera ${clean(id, 40)} on this broker.`);
	element('unknown', HTMLElement).hidden = !lost;
}

function connection() {
	const { up } = client;
	if (up && upSince === 0) denied = false;
	upSince = up ? upSince || Date.now() : 0;
	banner();
	for (const { feed } of shown.values()) feed.update();
}

function tick() {
	if (document.hidden) return;
	const now = Date.now();
	banner();
	const rest = ticks++ % REST_EVERY === 0;
	for (const { feed, tile } of shown.values()) {
		feed.tick(now);
		if (tile.visible || rest) tile.refresh(now);
	}
	if (focus.isOpen) focus.refresh(now);
}

/** @param {boolean} yes */
function wake(yes) {
	for (const { feed } of shown.values()) feed.awake = yes;
}

function visibility() {
	clearTimeout(leaving);
	wake(!document.hidden);
	if (document.hidden) {
		leaving = setTimeout(() => client.suspend(), AWAY);
		return;
	}
	client.resume();
	client.nudge();
	tick();
}

/** @param {(c: import('./cameras.js').Camera) => void} f */
const withCamera = (f) => (/** @type {Event} */ e) => {
	if (e instanceof CustomEvent) f(e.detail);
};

cameras.addEventListener('added', withCamera(add));
cameras.addEventListener('removed', withCamera(remove));
cameras.addEventListener('changed', withCamera(change));
cameras.addEventListener('refused', (e) => {
	denied ||= e instanceof CustomEvent && /\/(status|info)$/.test(e.detail); // the others only tell more
	banner();
});
client.addEventListener('change', connection);
focus.addEventListener('leave', left);
focus.addEventListener('step', (e) => {
	if (e instanceof CustomEvent) step(e.detail);
});
document.addEventListener('state', (e) => {
	if (e instanceof CustomEvent) announcer.say(e.detail.name, e.detail.text);
});
document.addEventListener('visibilitychange', visibility);
addEventListener('hashchange', () => {
	followHash();
	banner();
});
document.addEventListener(
	'close',
	(e) => {
		if (e.target instanceof HTMLDialogElement && e.target.classList.contains('box')) followHash();
	},
	true, // it does not bubble
);
addEventListener('online', () => client.nudge());
addEventListener('pagehide', () => {
	wake(false);
	queueMicrotask(() => client.suspend()); // after the leases went back
});
addEventListener('pageshow', (e) => {
	if (e.persisted) visibility();
});
element('retry', HTMLElement).addEventListener('click', () => client.nudge());
for (const host of document.querySelectorAll('[data-part="host"]')) host.textContent = location.hostname;

setInterval(tick, TICK);
setInterval(() => ask('GET', 'api/me').catch(() => {}), RENEW); // asked again when it fails
cameras.open();
client.resume();
visibility();
