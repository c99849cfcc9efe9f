// The cameras of one base topic, as their own reports tell of them.

import { plain, readEvent, readInfo, readState, readStats, readStatus } from './reports.js';

const ID = /^[a-z0-9][a-z0-9_-]{0,31}$/;
const EVERY = 30_000; // ms between stats, until a camera says otherwise
const RETAINED = 300; // ms for a broker to tell of the cameras that it knows
const ASK_EVERY = 30_000; // ms between questions to one camera that does not say what it is
const MISSED = 3; // stats missed make a camera lost. topics.md: stats
const MOST = 1000; // a page with more would be of no use, and a hostile publisher has no end
const KINDS = /** @type {const} */ (['status', 'info', 'state', 'stats', 'event']);

/**
 * @typedef {object} Camera
 * @property {string} id
 * @property {string} name never empty
 * @property {import('./reports.js').Status | null} status
 * @property {number | null} offlineSince ms since the epoch, when the page saw it go
 * @property {import('./reports.js').Info | null} info
 * @property {import('./reports.js').State | null} state
 * @property {import('./reports.js').Stats | null} stats
 * @property {import('./reports.js').Happening | null} event the newest one
 * @property {number} heard ms since the epoch
 * @property {boolean} shown
 */

/**
 * Cameras dispatches `added`, `removed` and `changed`, each with a Camera as
 * detail. A camera is added once its status or info is known, and removed when
 * both were cleared.
 */
export class Cameras extends EventTarget {
	/** @type {Map<string, Camera>} */
	#all = new Map();
	/** When cameras were asked to report, ms since the epoch. @type {Map<string, number>} */
	#asked = new Map();
	#told = false; // whether the broker has told of a camera since the connection is up
	#client;
	#base;

	/**
	 * @param {import('./mqtt.js').Client} client
	 * @param {string} base
	 */
	constructor(client, base) {
		super();
		this.#client = client;
		this.#base = base;
	}

	/** open subscribes, now and on every connect, and asks cameras to report that are not known. */
	open() {
		for (const kind of KINDS) {
			const qos = kind === 'stats' || kind === 'event' ? 0 : 1;
			this.#client.subscribe(`${this.#base}/+/${kind}`, {
				qos,
				message: (m) => this.#take(m),
				refused: (filter) => this.dispatchEvent(new CustomEvent('refused', { detail: filter })),
			});
		}
		/** @type {ReturnType<typeof setTimeout> | undefined} */
		let waiting;
		const connected = () => {
			clearTimeout(waiting);
			this.#told = false;
			if (this.#client.up) waiting = setTimeout(() => this.#askAll(), RETAINED);
		};
		this.#client.addEventListener('change', connected);
		connected();
	}

	/** askAll has every camera report where the broker has told of none. */
	#askAll() {
		if (this.#told) return;
		// Not every broker has retained messages, or sends them for a wildcard.
		this.#client.publish(`${this.#base}/_all/cmd`, 'hello').catch(() => {}); // asked again on the next connect
	}

	/** @param {string} id */
	get(id) {
		const c = this.#all.get(id);
		return c?.shown ? c : undefined;
	}

	/** list has the cameras in the order of their names. */
	list() {
		return [...this.#all.values()].filter((c) => c.shown).sort(byName);
	}

	/**
	 * heard notes a sign of life that came another way, such as a picture.
	 * @param {string} id
	 */
	heard(id) {
		const c = this.#all.get(id);
		if (c) c.heard = Date.now();
	}

	/** @param {import('./routes.js').Message} m */
	#take({ topic, payload, retain }) {
		const [id, kind] = topic.slice(this.#base.length + 1).split('/');
		if (!ID.test(id)) return;
		this.#told ||= retain;
		const c = this.#all.get(id) ?? this.#create(id);
		if (!c) return;
		this.#read(c, kind, payload);
		// A retained message is old news: it opens the wait for a heartbeat, no more.
		if (!retain || c.heard === 0) c.heard = Date.now();
		this.#settle(c);
		if (!retain && payload.length > 0 && c.status === null && c.info === null) this.#ask(id);
	}

	/**
	 * ask has a camera report that is heard of but not known: what the broker kept of it
	 * was cleared.
	 * @param {string} id
	 */
	#ask(id) {
		const now = Date.now();
		if (now - (this.#asked.get(id) ?? 0) < ASK_EVERY || this.#asked.size >= MOST) return;
		this.#asked.set(id, now);
		this.#client.publish(`${this.#base}/${id}/cmd`, 'hello').catch(() => {}); // asked again when it is next heard
	}

	/** @param {string} id */
	#create(id) {
		if (this.#all.size >= MOST) return undefined;
		/** @type {Camera} */
		const c = {
			id,
			name: id,
			status: null,
			offlineSince: null,
			info: null,
			state: null,
			stats: null,
			event: null,
			heard: 0,
			shown: false,
		};
		this.#all.set(id, c);
		return c;
	}

	/**
	 * @param {Camera} c
	 * @param {string} kind
	 * @param {Uint8Array} payload
	 */
	#read(c, kind, payload) {
		const empty = payload.length === 0; // a cleared retained message
		switch (kind) {
			case 'status':
				this.#status(c, payload);
				break;
			case 'info':
				c.info = empty ? null : (readInfo(payload) ?? c.info);
				c.name = c.info?.name || c.id;
				break;
			case 'state':
				c.state = empty ? null : (readState(payload) ?? c.state);
				break;
			case 'stats':
				c.stats = readStats(payload) ?? c.stats;
				break;
			case 'event':
				c.event = readEvent(payload) ?? c.event;
		}
	}

	/**
	 * @param {Camera} c
	 * @param {Uint8Array} payload
	 */
	#status(c, payload) {
		const before = c.status;
		c.status = plain(payload) === '' ? null : (readStatus(payload) ?? before);
		if (c.status !== 'offline') c.offlineSince = null;
		else if (before && before !== 'offline') c.offlineSince = Date.now();
	}

	/** @param {Camera} c */
	#settle(c) {
		const known = c.status !== null || c.info !== null;
		const kind = known ? (c.shown ? 'changed' : 'added') : 'removed';
		if (!known && !c.shown) {
			if (!c.state && !c.stats && !c.event) this.#all.delete(c.id);
			return;
		}
		c.shown = known;
		if (!known) this.#all.delete(c.id);
		this.dispatchEvent(new CustomEvent(kind, { detail: c }));
	}
}

/**
 * lost reports whether a camera that claims to be there has missed its
 * heartbeats.
 * @param {Camera} c
 * @param {number} now
 */
export function lost(c, now) {
	return c.status !== 'offline' && now - c.heard > MISSED * (c.stats?.every || EVERY);
}

const collator = new Intl.Collator(undefined, { numeric: true });

/**
 * byName orders cameras as people look for them.
 * @param {Camera} a
 * @param {Camera} b
 */
export function byName(a, b) {
	return collator.compare(a.name, b.name) || (a.id < b.id ? -1 : 1);
}
