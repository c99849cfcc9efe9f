// A socket, a broker, a client and a camera for tests; no test itself.

import { Cameras } from './cameras.js';
import { Feed } from './feed.js';
import { decode, Reader } from './packets.js';
import { view } from './view.js';

/** FakeSocket stands in for WebSocket; the test plays the broker. */
export class FakeSocket {
	readyState = 0;
	/** @type {number[][]} */
	sent = [];
	closed = 0;

	/** @param {Uint8Array} b */
	send(b) {
		this.sent.push([...b]);
	}

	close() {
		this.closed++;
		this.readyState = 3;
	}

	/** @param {number} [code] of CONNACK */
	accept(code = 0) {
		this.readyState = 1;
		this.onopen?.();
		this.receive([0x20, 2, 0, code]);
	}

	/** @param {ArrayLike<number>} b */
	receive(b) {
		this.onmessage?.({ data: Uint8Array.from(b).buffer });
	}

	/** breaks the line */
	cut() {
		this.readyState = 3;
		this.onclose?.({ reason: '' });
	}

	/** @param {number} type high nibble */
	ofType(type) {
		return this.sent.filter((p) => p[0] >> 4 === type);
	}
}

/** published lists what a client sent, as [topic, payload]. @param {FakeSocket} socket */
export function published(socket) {
	return socket.ofType(3).map((p) => {
		const [{ head, body }] = [...new Reader().read(Uint8Array.from(p))];
		const m = decode(head, body);
		return [m.topic, new TextDecoder().decode(m.payload)];
	});
}

/** FakeClient is a broker within reach and everything a page asks of it. */
export class FakeClient extends EventTarget {
	status = { state: 'up', reason: '', retryAt: 0 };
	/** @type {Map<string, any>} */
	subscriptions = new Map();
	/** @type {[string, string][]} */
	sent = [];

	get up() {
		return this.status.state === 'up';
	}

	/** @param {'up' | 'down'} state */
	set(state) {
		this.status = { state, reason: '', retryAt: 0 };
		this.dispatchEvent(new Event('change'));
	}

	subscribe(topic, to) {
		this.subscriptions.set(topic, to);
	}

	unsubscribe(topic) {
		this.subscriptions.delete(topic);
	}

	async publish(topic, payload) {
		if (!this.up) throw new Error('no connection to the broker');
		this.sent.push([topic, payload]);
	}

	/** deliver plays a message to whoever listens. */
	deliver(topic, payload, retain = false) {
		const bytes = typeof payload === 'string' ? new TextEncoder().encode(payload) : payload;
		const [base, id, ...kind] = topic.split('/');
		const to = this.subscriptions.get(topic) ?? this.subscriptions.get([base, id && '+', ...kind].join('/'));
		to?.message({ topic, payload: bytes, retain });
	}

	/** commands lists the JSON commands sent to a camera, and forgets them. */
	commands(id) {
		const found = this.sent.filter(([t]) => t === `cam/${id}/cmd`).map(([, p]) => JSON.parse(p));
		this.sent = [];
		return found;
	}
}

const START = 1_800_000_000_000;
export const turn = () => new Promise((resolve) => setImmediate(resolve));
export const json = (/** @type {unknown} */ v) => JSON.stringify(v);

/** jpeg has a header that claims a size, and a number to tell it from others. */
export function jpeg(n = 0, width = 640, height = 480) {
	const frame = [0xff, 0xc0, 0, 11, 8, height >> 8, height & 255, width >> 8, width & 255, 1, 1, 17, 0];
	return Uint8Array.from([0xff, 0xd8, ...frame, 0xff, 0xda, 0, 2, ...Array(n).fill(1), 0xff, 0xd9]);
}

/**
 * dated is a jpeg whose EXIF says when it was taken, to the second, and its ImageUniqueID.
 * @param {number} at
 * @param {string} [image] 32 characters
 */
export function dated(at, image = '0'.repeat(32)) {
	const ascii = (/** @type {string} */ t) => [...t].map((c) => c.charCodeAt(0));
	const two = (/** @type {number} */ n) => [n >> 8, n & 255];
	const entry = (/** @type {number[]} */ ...v) => [...two(v[0]), ...two(v[1]), 0, 0, ...two(v[2]), 0, 0, ...two(v[3])];
	const date = new Date(at).toISOString().slice(0, 19).replace('T', ' ').replaceAll('-', ':');
	const tiff = [
		...[...ascii('MM'), 0, 42, 0, 0, 0, 8],
		...[0, 1, ...entry(0x8769, 4, 1, 26), 0, 0, 0, 0],
		...[0, 3, ...entry(0x9003, 2, 20, 68), ...entry(0x9011, 2, 7, 88), ...entry(0xa420, 2, 33, 95), 0, 0, 0, 0],
		...[...ascii(date), 0, ...ascii('+00:00'), 0, ...ascii(image), 0],
	];
	const [start, ...rest] = [jpeg().slice(0, 2), ...jpeg().slice(2)];
	return Uint8Array.from([...start, 0xff, 0xe1, ...two(tiff.length + 8), ...ascii('Exif'), 0, 0, ...tiff, ...rest]);
}

/** snapped is a picture with an ImageUniqueID. @param {number} n */
export function snapped(n) {
	return dated(Date.now(), String(n).padStart(32, 'f'));
}

/** open is one online camera and its feed, in fake time. @param {import('node:test').TestContext} t */
export async function open(t) {
	t.mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'Date'], now: START });
	const client = new FakeClient();
	const cameras = new Cameras(client, 'cam');
	cameras.open();
	client.deliver('cam/a/status', 'online', true);
	client.deliver('cam/a/info', json({ name: 'A', sizes: ['320x240', '640x480'] }), true);
	const feed = new Feed({ camera: cameras.get('a'), cameras, client, base: 'cam', viewer: 'web-1' });
	client.addEventListener('change', () => feed.update());
	cameras.addEventListener('changed', () => feed.update());
	client.sent = [];
	const pictures = [];
	/** draws at once, as a painter with a fast machine */
	const watcher = (fps = 5, width = 300) => ({
		wish: () => ({ fps, width }),
		picture: (p) => {
			pictures.push(p);
			feed.drawn(p);
		},
	});
	const heard = () =>
		[...client.subscriptions.keys()]
			.filter((k) => k.startsWith('cam/a/'))
			.map((k) => k.slice(6))
			.sort();
	const state = () => view(feed, Date.now());
	const pass = async (ms) => {
		t.mock.timers.tick(ms);
		await turn();
	};
	return { client, cameras, feed, watcher, pictures, heard, state, pass };
}
