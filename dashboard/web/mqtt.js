// An MQTT 3.1.1 client over WebSocket that heals itself: QoS 0 and 1, clean
// session, retained flag, optional will. It never queues: what cannot be sent
// now is refused now, because a command that arrives late does harm.

import * as packets from './packets.js';
import { Routes } from './routes.js';

const OPEN_WAIT = 10_000; // from opening the socket to CONNACK
const PROBE_WAIT = 5_000; // for any answer when the page suspects a dead line
const PUBACK_WAIT = 10_000;
const STEADY = 5_000; // a connection that lived this long makes the next wait short again
const WAIT_MIN = 500;
const WAIT_MAX = 15_000;

/**
 * @typedef {'idle' | 'connecting' | 'up' | 'down' | 'refused'} State
 * @typedef {{state: State, reason: string, retryAt: number}} Status retryAt in ms since the epoch, 0 when nothing is planned
 * @typedef {import('./routes.js').Subscriber} Subscriber
 * @typedef {{url: string, id: string, keepalive?: number, username?: string, password?: string, will?: packets.Will,
 *   beforeConnect?: () => Promise<void>, socket?: (url: string) => WebSocket,
 *   now?: () => number, random?: () => number}} Options
 */

/**
 * unopened says why there is no connection. A browser tells nothing about a WebSocket
 * that was refused; but the server has answered just before it was opened.
 * @param {boolean} silent whether nothing has answered
 */
function unopened(silent) {
	return silent
		? 'the broker cannot be reached'
		: 'the server answers, but the WebSocket /mqtt does not open. A proxy in between must pass on Upgrade and Connection';
}

/** Client holds one connection. It dispatches `change` whenever status differs. */
export class Client extends EventTarget {
	/** @type {Status} */
	status = { state: 'idle', reason: '', retryAt: 0 };
	/** Counters for people who look for a fault. */
	counts = { connects: 0, packets: 0, bytes: 0, malformed: 0 };

	#o;
	#now;
	#random;
	#keepalive; // ms
	/** @type {WebSocket | null} */
	#ws = null;
	#reader = new packets.Reader();
	#routes = new Routes();
	/** @type {Map<number, string>} */
	#subscribing = new Map();
	/** @type {Map<number, {done: () => void, fail: (e: Error) => void}>} */
	#publishing = new Map();
	#lastID = 0;
	#lastIn = 0;
	#lastOut = 0;
	#pinged = 0;
	#upAt = 0;
	#tries = 0;
	#turn = 0; // counts connections begun and given up
	/** @type {ReturnType<typeof setTimeout> | undefined} */
	#timer;
	/** @type {ReturnType<typeof setInterval> | undefined} */
	#beat;
	/** @type {ReturnType<typeof setTimeout> | undefined} */
	#probe;

	/** @param {Options} options keepalive in seconds, 0 or left out is 30 */
	constructor(options) {
		super();
		this.#o = options;
		this.#keepalive = (options.keepalive || 30) * 1000;
		this.#now = options.now ?? (() => performance.now());
		this.#random = options.random ?? Math.random;
	}

	get up() {
		return this.status.state === 'up';
	}

	/** resume connects, or does nothing when that is under way. */
	resume() {
		if (this.status.state === 'idle') this.#open();
	}

	/** suspend says good-bye to the broker and stays away until resume. */
	suspend() {
		if (this.up) this.#send(packets.disconnect());
		this.#hangUp('suspended');
		this.#set('idle');
	}

	/** nudge tries again at once, or finds out whether the line still lives. */
	nudge() {
		if (this.status.retryAt > 0) {
			this.#open();
		} else if (this.up && this.#probe === undefined) {
			const asked = this.#now();
			this.#send(packets.pingreq());
			this.#probe = setTimeout(() => {
				this.#probe = undefined;
				if (this.#lastIn < asked) this.#lose('the broker does not answer');
			}, PROBE_WAIT);
		}
	}

	/**
	 * publish sends one message. The promise is kept when it is handed to the
	 * network (QoS 0) or acknowledged (QoS 1), and refused when the broker is out
	 * of reach or goes away before that.
	 * @param {string} topic
	 * @param {string | Uint8Array} payload
	 * @param {{qos?: 0 | 1, retain?: boolean}} [how]
	 * @returns {Promise<void>}
	 */
	async publish(topic, payload, { qos = 0, retain = false } = {}) {
		if (!this.up) throw new Error('no connection to the broker');
		if (qos === 0) {
			this.#send(packets.publish({ topic, payload, retain }));
			return;
		}
		const id = this.#nextID();
		this.#send(packets.publish({ topic, payload, qos, retain, id }));
		await new Promise((resolve, reject) => {
			/** @param {() => void} then */
			const settle = (then) => {
				clearTimeout(late);
				this.#publishing.delete(id);
				then();
			};
			const fail = (/** @type {Error} */ e) => settle(() => reject(e));
			const late = setTimeout(() => fail(new Error('the broker did not acknowledge')), PUBACK_WAIT);
			this.#publishing.set(id, { done: () => settle(() => resolve(undefined)), fail });
		});
	}

	/**
	 * subscribe holds a filter over all reconnects. One subscriber per filter: a
	 * second one takes the place of the first.
	 * @param {string} filter
	 * @param {Subscriber} to
	 */
	subscribe(filter, to) {
		this.#routes.add(filter, to);
		if (this.up) this.#subscribe(filter, to);
	}

	/** @param {string} filter */
	unsubscribe(filter) {
		if (this.#routes.remove(filter) && this.up) this.#send(packets.unsubscribe(this.#nextID(), filter));
	}

	#open() {
		this.#hangUp('opened anew');
		this.#set(this.status.state === 'refused' ? 'refused' : 'connecting', this.status.reason);
		const { beforeConnect } = this.#o;
		if (!beforeConnect) {
			this.#dial();
			return;
		}
		const turn = this.#turn;
		this.#timer = setTimeout(() => this.#lose('the broker cannot be reached'), OPEN_WAIT);
		beforeConnect().then(
			() => {
				if (turn === this.#turn) this.#dial();
			},
			(e) => {
				if (turn === this.#turn) this.#lose(e.message, e.status === 403 ? 'refused' : 'down');
			},
		);
	}

	#dial() {
		clearTimeout(this.#timer);
		this.#reader = new packets.Reader();
		const hello = { ...this.#o, keepalive: Math.round(this.#keepalive / 1000) };
		/** @type {WebSocket} */
		let ws;
		try {
			ws = this.#o.socket ? this.#o.socket(this.#o.url) : new WebSocket(this.#o.url, 'mqtt');
		} catch (e) {
			this.#lose(String(e));
			return;
		}
		this.#ws = ws;
		ws.binaryType = 'arraybuffer';
		ws.onopen = () => {
			opened = true;
			this.#send(packets.connect(hello));
		};
		ws.onmessage = (e) => this.#receive(e.data);
		let opened = false;
		ws.onclose = (e) =>
			this.#lose(e.reason || (this.up ? 'the connection broke' : unopened(opened || !this.#o.beforeConnect)));
		this.#timer = setTimeout(() => this.#lose('the broker does not answer'), OPEN_WAIT);
	}

	/** @param {unknown} data */
	#receive(data) {
		const ws = this.#ws;
		this.#lastIn = this.#now();
		try {
			if (!(data instanceof ArrayBuffer)) throw new packets.Malformed('text where bytes belong');
			this.counts.bytes += data.byteLength;
			for (const { head, body } of this.#reader.read(new Uint8Array(data))) {
				this.counts.packets++;
				this.#take(packets.decode(head, body));
				if (this.#ws !== ws) return; // a handler or the packet ended this connection
			}
		} catch (e) {
			if (!(e instanceof packets.Malformed)) throw e;
			this.counts.malformed++;
			this.#lose(`the broker sent a ${e.message}`);
		}
	}

	/** @param {packets.Packet} p */
	#take(p) {
		if (p.type === 'connack') {
			this.#connack(p);
			return;
		}
		if (!this.up) throw new packets.Malformed(`${p.type} before connack`);
		switch (p.type) {
			case 'publish':
				if (p.qos === 1) this.#send(packets.puback(p.id));
				this.#routes.deliver({ topic: p.topic, payload: p.payload, retain: p.retain });
				break;
			case 'puback':
				this.#publishing.get(p.id)?.done();
				break;
			case 'suback': {
				const filter = this.#subscribing.get(p.id);
				this.#subscribing.delete(p.id);
				if (filter !== undefined && p.codes[0] === 0x80) this.#routes.refuse(filter);
			}
		}
	}

	/** @param {packets.Connack} p */
	#connack(p) {
		if (this.up) throw new packets.Malformed('a second connack'); // [MQTT-3.2.0-1]
		clearTimeout(this.#timer);
		if (p.code !== 0) {
			this.#lose(packets.REFUSALS[p.code] ?? `code ${p.code}`, 'refused');
			return;
		}
		this.counts.connects++;
		this.#upAt = this.#now();
		this.#beat = setInterval(() => this.#keepAlive(), this.#keepalive / 8);
		this.#set('up', '', 0, () => {
			for (const [filter, to] of this.#routes.all()) this.#subscribe(filter, to);
		});
	}

	#keepAlive() {
		const now = this.#now();
		if (now - this.#lastIn > 1.5 * this.#keepalive) {
			this.#lose('the broker went silent');
			return;
		}
		// Commands may go out while nothing comes in, so silence asks for a ping too.
		const quiet = Math.max(now - this.#lastOut, now - Math.max(this.#lastIn, this.#pinged));
		if (quiet < 0.75 * this.#keepalive) return;
		this.#pinged = now;
		this.#send(packets.pingreq());
	}

	/** @param {Uint8Array<ArrayBuffer>} bytes */
	#send(bytes) {
		if (this.#ws?.readyState !== 1) return; // OPEN; its close event follows
		this.#ws.send(bytes);
		this.#lastOut = this.#now();
	}

	/**
	 * @param {string} filter
	 * @param {Subscriber} to
	 */
	#subscribe(filter, to) {
		const id = this.#nextID();
		this.#subscribing.set(id, filter);
		this.#send(packets.subscribe(id, filter, to.qos ?? 0));
	}

	#nextID() {
		do this.#lastID = (this.#lastID % 65535) + 1;
		while (this.#publishing.has(this.#lastID) || this.#subscribing.has(this.#lastID));
		return this.#lastID;
	}

	/**
	 * @param {string} reason
	 * @param {'down' | 'refused'} [state]
	 */
	#lose(reason, state = 'down') {
		if (this.#upAt > 0 && this.#now() - this.#upAt > STEADY) this.#tries = 0;
		this.#hangUp(reason);
		const most = Math.min(WAIT_MAX, 2 * WAIT_MIN * 2 ** this.#tries++);
		const wait = WAIT_MIN + this.#random() * (most - WAIT_MIN);
		this.#timer = setTimeout(() => this.#open(), wait);
		this.#set(state, reason, Date.now() + wait);
	}

	/** @param {string} reason */
	#hangUp(reason) {
		this.#turn++;
		clearTimeout(this.#timer);
		clearInterval(this.#beat);
		clearTimeout(this.#probe);
		this.#probe = undefined;
		this.#upAt = 0;
		const ws = this.#ws;
		this.#ws = null;
		this.#subscribing.clear();
		for (const p of [...this.#publishing.values()]) p.fail(new Error(`connection lost: ${reason}`));
		if (!ws) return;
		// A dead line answers close() only after a minute: stop listening now.
		ws.onopen = ws.onmessage = ws.onclose = null;
		ws.close();
	}

	/**
	 * @param {State} state
	 * @param {string} [reason]
	 * @param {number} [retryAt]
	 * @param {() => void} [first] what must go out before a listener of the change can send
	 */
	#set(state, reason = '', retryAt = 0, first = () => {}) {
		this.status = { state, reason, retryAt };
		first();
		this.dispatchEvent(new Event('change'));
	}
}
