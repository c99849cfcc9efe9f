// One camera's pictures: the topics to which the page is subscribed and the lease that it
// holds while a view shows the camera. It has neither while no view does.

import { Clock } from './clock.js';
import { Commands } from './commands.js';
import { look, MAX_PIXELS } from './exif.js';
import { Kept } from './kept.js';
import { Lease, pick } from './lease.js';
import { Meter } from './meter.js';
import { RateLimiter } from './ratelimiter.js';
import { readResult } from './reports.js';
import { Snap } from './snap.js';
import { Subscriptions } from './subscriptions.js';

/**
 * @typedef {object} Picture
 * @property {Uint8Array<ArrayBuffer>} bytes
 * @property {import('./exif.js').Look} look
 * @property {number} arrived ms since the epoch
 * @property {boolean} live from `frame`, not the kept `preview`
 *
 * @typedef {{fps: number, width: number}} Wish width in device pixels; 0 is the camera's own size
 * @typedef {{wish: () => Wish, picture: (p: Picture) => void}} Watcher
 * @typedef {object} Options
 * @property {import('./cameras.js').Camera} camera
 * @property {import('./cameras.js').Cameras} cameras
 * @property {import('./mqtt.js').Client} client
 * @property {string} base
 * @property {string} viewer token of this page
 */

/** Feed serves one camera to the tile and the full view. It dispatches `change`. */
export class Feed extends EventTarget {
	clock = new Clock();
	rateLimiter = new RateLimiter();
	meter = new Meter();
	counts = { arrived: 0, replaced: 0, broken: 0 };
	/** Stop was pressed here: show what comes, hold no lease. */
	paused = false;
	/** Why the camera refused the lease. @type {{code: string, text: string} | null} */
	refusal = null;
	/** The broker refused the subscription to the pictures. */
	denied = false;
	/** When a view began to show the camera, ms since the epoch; 0 while none does. */
	since = 0;
	/** When a live picture was last drawn. */
	lastDrawn = 0;
	/** When a picture came last that cannot be shown. */
	lastBroken = 0;
	/** The newest picture drawn, and what has to go with it. */
	kept = new Kept();
	/** Pictures per second asked for at present; 0 without a lease. */
	fps = 0;

	#o;
	#lease;
	/** @type {Set<Watcher>} */
	#watchers = new Set();
	#commands;
	#subscriptions;
	#awake = true;
	#pending = false;
	#seenLive = false;
	#newest = 0; // capture time of the newest picture handed on; 0 when it has none
	/** @type {Snap | null} */
	#snap = null;

	/** @param {Options} options */
	constructor(options) {
		super();
		this.#o = options;
		this.kept.addEventListener('dropped', () => this.#forget());
		this.#lease = new Lease((payload) => {
			this.#command(payload).catch(() => {}); // renewed soon; the page shows a lost broker by itself
		}, options.viewer);
		this.#commands = new Commands(
			(payload) => this.#command(payload, 1),
			options.viewer,
			() => this.#settle(),
		);
		this.#subscriptions = new Subscriptions(options.client, `${options.base}/${options.camera.id}`, (kind) => {
			this.denied ||= kind === 'frame';
			this.update();
		});
	}

	/** The newest picture drawn; null for none. */
	get last() {
		return this.kept.picture;
	}

	get camera() {
		return this.#o.camera;
	}

	get broker() {
		return this.#o.client.status;
	}

	get leased() {
		return this.#lease.held;
	}

	/** @param {Watcher} w */
	watch(w) {
		this.#watchers.add(w);
		this.update();
	}

	/** @param {Watcher} w */
	unwatch(w) {
		this.#watchers.delete(w);
		this.update();
	}

	/** Whether the page can be seen. @param {boolean} yes */
	set awake(yes) {
		this.#awake = yes;
		this.update();
	}

	/** close lets go of everything; the camera was forgotten. */
	close() {
		this.#watchers.clear();
		this.#snap?.fail('the camera was removed');
		this.kept.bar(true);
		this.#settle();
	}

	/** update brings topics and lease in line with the wishes, once for all changes of one turn. */
	update() {
		this.#obeyPrivacy();
		if (this.#pending) return;
		this.#pending = true;
		queueMicrotask(() => {
			this.#pending = false;
			this.#settle();
			this.dispatchEvent(new Event('change'));
		});
	}

	/** obeyPrivacy acts at once: what came in the same turn must not be drawn either. */
	#obeyPrivacy() {
		const on = this.#o.camera.state?.privacy === true;
		if (on) this.#snap?.fail('privacy is on');
		this.kept.bar(on || this.denied);
	}

	#forget() {
		this.#seenLive = false;
		this.#newest = 0;
		this.lastDrawn = 0;
	}

	#settle() {
		const { client, camera } = this.#o;
		const active = this.#awake && client.up && this.#watchers.size > 0;
		if (active && this.since === 0) this.#begin();
		if (!active && this.since > 0) this.since = 0;
		this.#obeyPrivacy();
		const there = camera.status !== 'offline' && camera.status !== 'sleeping' && !camera.state?.privacy;
		const lease = active && there && !this.paused && !this.denied;
		const heard =
			(lease && (!this.#seenLive || this.clock.unsure)) ||
			this.refusal !== null ||
			this.#snap !== null ||
			this.#commands.pending;
		const open = active && !this.kept.barred;
		this.#subscriptions.set('frame', active && !camera.state?.privacy, (m) => this.#frame(m));
		this.#subscriptions.set('preview', open && !(lease && this.#seenLive), (m) => this.#still(m));
		this.#subscriptions.set('result', heard, (m) => this.#result(m));
		this.#subscriptions.set('snapshot', open && this.#snap?.fetching === true, (m) => this.#saved(m));
		if (!client.up) this.#lease.drop();
		else this.#lease.want(lease ? this.#demand() : null);
		if (!lease) this.fps = 0;
	}

	#begin() {
		this.since = Date.now();
		this.#seenLive = false;
		this.denied = false;
		this.refusal = null;
		this.meter.reset();
		this.rateLimiter.reset(this.since);
	}

	/** @returns {import('./lease.js').Demand} */
	#demand() {
		const wishes = [...this.#watchers].map((w) => w.wish());
		this.fps = this.rateLimiter.fps(Math.max(...wishes.map((w) => w.fps)));
		const widest = wishes.some((w) => w.width === 0) ? 0 : Math.max(...wishes.map((w) => w.width));
		const size = widest > 0 ? pick(this.#o.camera.info?.sizes ?? [], widest) : undefined;
		return size ? { fps: this.fps, size } : { fps: this.fps };
	}

	/** @param {import('./routes.js').Message} m */
	#frame({ payload, retain }) {
		const now = Date.now();
		this.#o.cameras.heard(this.#o.camera.id);
		this.meter.add(now, payload.length);
		const seen = !this.kept.barred && this.#look(payload);
		if (!seen) return;
		this.counts.arrived++;
		this.rateLimiter.arrived();
		if (seen.captured !== null && !retain) this.clock.learn(seen.captured, now);
		this.#snap?.picture(payload, seen.image);
		const first = !this.#seenLive || this.refusal !== null;
		this.#seenLive = true;
		this.refusal = null;
		if (first) this.update();
		this.#give({ bytes: payload, look: seen, arrived: now, live: !retain });
	}

	/** @param {import('./routes.js').Message} m */
	#still({ payload, retain }) {
		if (payload.length === 0) {
			this.kept.drop();
			return;
		}
		const seen = !this.kept.barred && this.#look(payload);
		if (!seen) return;
		if (!retain) this.#o.cameras.heard(this.#o.camera.id);
		const known = this.#newest > 0 || this.#seenLive;
		if (known && (seen.captured ?? 0) <= this.#newest) return; // what is shown is newer
		this.#give({ bytes: payload, look: seen, arrived: retain ? 0 : Date.now(), live: false });
	}

	/** saved gives a picture of `snapshot` to the pending snap. @param {import('./routes.js').Message} m */
	#saved({ payload }) {
		if (payload.length === 0) this.#snap?.fail('the picture was removed');
		else if (!this.kept.barred) this.#snap?.picture(payload, this.#look(payload)?.image ?? '');
	}

	/** @param {Uint8Array<ArrayBuffer>} payload */
	#look(payload) {
		const seen = look(payload);
		if (seen && seen.width * seen.height <= MAX_PIXELS) return seen;
		this.broken();
		return null;
	}

	/** @param {Picture} p */
	#give(p) {
		this.#newest = p.look.captured ?? 0;
		for (const w of this.#watchers) w.picture(p);
	}

	/** @param {import('./routes.js').Message} m */
	#result({ payload }) {
		const r = readResult(payload);
		if (!r) return;
		this.#snap?.result(r);
		this.#commands.result(r);
		if (!this.#lease.owns(r.id)) return;
		const asked = this.#lease.sentAt(r.id);
		if (asked && r.at) this.clock.answered(asked, r.at - r.tookMS);
		this.refusal = r.ok ? null : { code: r.code, text: r.text };
		if (r.code === 'privacy') this.kept.drop(); // the state may come later
		this.update();
	}

	/** drawn is told of every picture on the screen. @param {Picture} p */
	drawn(p) {
		const now = Date.now();
		this.kept.keep(p);
		if (!p.live) return;
		this.lastDrawn = now;
		const { captured } = p.look;
		this.rateLimiter.drawn(captured === null ? now - p.arrived : this.clock.lag(captured, now));
	}

	/** replaced is told of every picture that gave way to a newer one. */
	replaced() {
		this.counts.replaced++;
		this.rateLimiter.replaced();
	}

	/** broken is told of every picture that no decoder could read. */
	broken() {
		this.counts.broken++;
		this.lastBroken = Date.now();
	}

	/** tick looks after what changes with time alone. @param {number} now */
	tick(now) {
		if (this.since === 0 || !this.leased) return;
		const base = Math.max(...[...this.#watchers].map((w) => w.wish().fps));
		if (this.rateLimiter.judge(now, base)) this.update();
	}

	/**
	 * age of the picture on the screen in ms; null when there is none or it is unknown.
	 * @param {number} now
	 */
	age(now) {
		if (!this.last) return null;
		const { look: seen, arrived } = this.last;
		if (seen.captured !== null) return this.clock.age(seen.captured, now);
		const at = arrived || this.#o.camera.state?.lastFrame;
		return at ? Math.max(0, now - at) : null;
	}

	/**
	 * @param {string} payload
	 * @param {0 | 1} [qos]
	 */
	#command(payload, qos = 0) {
		return this.#o.client.publish(`${this.#o.base}/${this.#o.camera.id}/cmd`, payload, { qos });
	}

	/** start begins the lease that lasts without viewers. */
	start() {
		this.paused = false;
		return this.#commands.send('start');
	}

	/** stop ends all leases, and this page asks for no new one until start. */
	stop() {
		this.paused = true;
		this.#lease.drop(); // the bare stop below ends it with the others
		return this.#commands.send('stop');
	}

	/**
	 * snap has one picture taken. Asking again meanwhile shares it.
	 * @returns {Promise<import('./snap.js').Taken>}
	 */
	snap() {
		if (this.#snap) return this.#snap.taken;
		const snap = new Snap(this.#o.viewer, () => this.update());
		this.#snap = snap;
		this.#settle(); // hear the result before it can come
		this.#command(JSON.stringify({ cmd: 'snap', id: snap.id }), 1).catch((e) => snap.fail(e.message));
		return snap.taken.finally(() => {
			this.#snap = null;
			this.update();
		});
	}
}
