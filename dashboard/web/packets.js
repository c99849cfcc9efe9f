// MQTT 3.1.1 packets: bytes to objects and back. It knows the wire format and
// nothing of sockets, timers or topics' meaning.

/** Largest packet taken, in bytes: pictures are at most 900,000. */
export const MAX_PACKET = 8 << 20;

/** Refusals of CONNACK. [MQTT 3.2.2.3] */
export const REFUSALS = [
	'',
	'the broker does not speak MQTT 3.1.1',
	'the broker does not like the client id',
	'the broker is not available',
	'wrong user name or password',
	'not authorised',
];

/**
 * @typedef {{type: 'connack', present: boolean, code: number}} Connack
 * @typedef {{type: 'publish', topic: string, payload: Uint8Array<ArrayBuffer>, qos: 0 | 1, retain: boolean, id: number}} Publish
 * @typedef {{type: 'puback', id: number}} Puback
 * @typedef {{type: 'suback', id: number, codes: number[]}} Suback
 * @typedef {{type: 'unsuback', id: number}} Unsuback
 * @typedef {{type: 'pingresp'}} Pingresp
 * @typedef {Connack | Publish | Puback | Suback | Unsuback | Pingresp} Packet
 */

/** Bytes that no MQTT 3.1.1 server sends to this client. */
export class Malformed extends Error {
	/** @param {string} what */
	constructor(what) {
		super(`malformed packet: ${what}`);
		this.name = 'Malformed';
	}
}

/**
 * Reader cuts a byte stream into packets, wherever it was cut before. A packet
 * that lies in one chunk is handed on without copying; one that spans several
 * is joined once, when it is whole.
 */
export class Reader {
	/** @type {Uint8Array<ArrayBuffer>[]} */
	#parts = [];
	#have = 0;
	#head = -1;
	#length = 0;
	#shift = 0;
	#counted = false;
	#max;

	/** @param {number} [max] largest remaining length in bytes */
	constructor(max = MAX_PACKET) {
		this.#max = max;
	}

	/**
	 * @param {Uint8Array<ArrayBuffer>} chunk
	 * @returns {Generator<{head: number, body: Uint8Array<ArrayBuffer>}, void, void>}
	 */
	*read(chunk) {
		let at = 0;
		while (at < chunk.length || (this.#counted && this.#length === 0)) {
			if (!this.#counted) {
				at = this.#header(chunk, at);
				continue;
			}
			const piece = chunk.subarray(at, at + this.#length - this.#have);
			at += piece.length;
			this.#have += piece.length;
			if (this.#have < this.#length) {
				this.#parts.push(piece);
				return;
			}
			const body = this.#parts.length === 0 ? piece : join([...this.#parts, piece], this.#length);
			const head = this.#head;
			this.#reset();
			yield { head, body };
		}
	}

	/**
	 * @param {Uint8Array} chunk
	 * @param {number} at
	 */
	#header(chunk, at) {
		if (this.#head < 0) {
			this.#head = chunk[at];
			return at + 1;
		}
		const byte = chunk[at];
		this.#length += (byte & 127) * 2 ** this.#shift; // [MQTT 2.2.3]
		this.#shift += 7;
		if (byte & 128) {
			if (this.#shift > 21) throw new Malformed('remaining length has more than 4 bytes');
			return at + 1;
		}
		if (this.#length > this.#max) throw new Malformed(`${this.#length} bytes, want at most ${this.#max}`);
		this.#counted = true;
		return at + 1;
	}

	#reset() {
		this.#parts = [];
		this.#have = 0;
		this.#head = -1;
		this.#length = 0;
		this.#shift = 0;
		this.#counted = false;
	}
}

/**
 * @param {Uint8Array[]} parts
 * @param {number} length
 */
function join(parts, length) {
	const out = new Uint8Array(length);
	let at = 0;
	for (const p of parts) {
		out.set(p, at);
		at += p.length;
	}
	return out;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * decode reads what a server may send. It throws Malformed for everything else.
 * @param {number} head the fixed header's first byte
 * @param {Uint8Array<ArrayBuffer>} body
 * @returns {Packet}
 */
export function decode(head, body) {
	const flags = head & 15;
	if (head >> 4 === 3) return decodePublish(flags, body);
	if (flags !== 0) throw new Malformed(`type ${head >> 4} with flags ${flags}`);
	switch (head >> 4) {
		case 2:
			need(body, 2, 'connack');
			if (body[0] > 1) throw new Malformed(`connack flags ${body[0]}`);
			return { type: 'connack', present: body[0] === 1, code: body[1] };
		case 4:
			need(body, 2, 'puback');
			return { type: 'puback', id: identifier(body, 0) };
		case 9: {
			if (body.length < 3) throw new Malformed(`suback of ${body.length} bytes`);
			const codes = [...body.subarray(2)];
			const odd = codes.find((c) => c > 2 && c !== 0x80); // [MQTT-3.9.3-2]
			if (odd !== undefined) throw new Malformed(`suback code ${odd}`);
			return { type: 'suback', id: identifier(body, 0), codes };
		}
		case 11:
			need(body, 2, 'unsuback');
			return { type: 'unsuback', id: identifier(body, 0) };
		case 13:
			need(body, 0, 'pingresp');
			return { type: 'pingresp' };
		default:
			throw new Malformed(`type ${head >> 4} from a server`);
	}
}

/**
 * @param {number} flags
 * @param {Uint8Array<ArrayBuffer>} body
 * @returns {Publish}
 */
function decodePublish(flags, body) {
	const qos = (flags >> 1) & 3;
	if (qos > 1) throw new Malformed(`publish with QoS ${qos}, subscribed with at most 1`);
	if (body.length < 2) throw new Malformed(`publish of ${body.length} bytes`);
	const end = 2 + ((body[0] << 8) | body[1]);
	const start = end + (qos ? 2 : 0);
	if (start > body.length) throw new Malformed(`topic ends at ${start} of ${body.length} bytes`);
	let topic = '';
	try {
		topic = decoder.decode(body.subarray(2, end));
	} catch {
		throw new Malformed('topic is not UTF-8'); // [MQTT-1.5.3-1]
	}
	if (topic === '' || /[+#\0]/.test(topic)) throw new Malformed('topic is empty or has wildcards'); // [MQTT-3.3.2-2]
	return {
		type: 'publish',
		topic,
		payload: body.subarray(start),
		qos: qos ? 1 : 0,
		retain: (flags & 1) === 1,
		id: qos ? identifier(body, end) : 0,
	};
}

/**
 * @param {Uint8Array} body
 * @param {number} length
 * @param {string} what
 */
function need(body, length, what) {
	if (body.length !== length) throw new Malformed(`${what} of ${body.length} bytes, want ${length}`);
}

/**
 * @param {Uint8Array} body
 * @param {number} at
 */
function identifier(body, at) {
	const id = (body[at] << 8) | body[at + 1];
	if (id === 0) throw new Malformed('packet identifier 0'); // [MQTT-2.3.1-1]
	return id;
}

/**
 * @param {number} head
 * @param {...(Uint8Array | number[])} parts
 */
function packet(head, ...parts) {
	let length = 0;
	for (const p of parts) length += p.length;
	const header = [head];
	let rest = length;
	do {
		header.push((rest & 127) | (rest > 127 ? 128 : 0));
		rest >>>= 7;
	} while (rest > 0);
	const out = new Uint8Array(header.length + length);
	out.set(header);
	let at = header.length;
	for (const p of parts) {
		out.set(p, at);
		at += p.length;
	}
	return out;
}

/** @param {number} n */
const two = (n) => [n >> 8, n & 255];

/** @param {string} s */
function text(s) {
	const bytes = encoder.encode(s);
	if (bytes.length > 65535) throw new RangeError(`text of ${bytes.length} bytes, want at most 65535`);
	return Uint8Array.of(...two(bytes.length), ...bytes);
}

/**
 * @typedef {{topic: string, payload: string | Uint8Array, qos?: 0 | 1, retain?: boolean}} Will
 * @param {{id: string, keepalive: number, username?: string, password?: string, will?: Will}} o keepalive in seconds
 */
export function connect({ id, keepalive, username, password, will }) {
	let flags = 2; // clean session
	if (will) flags |= 4 | ((will.qos ?? 0) << 3) | (will.retain ? 32 : 0);
	if (username !== undefined) flags |= 128;
	if (password !== undefined) flags |= 64;
	const message = typeof will?.payload === 'string' ? encoder.encode(will.payload) : will?.payload;
	return packet(
		0x10,
		text('MQTT'),
		[4, flags, ...two(keepalive)],
		text(id),
		will ? text(will.topic) : [],
		message ? two(message.length) : [],
		message ?? [],
		username === undefined ? [] : text(username),
		password === undefined ? [] : text(password),
	);
}

/**
 * @param {{topic: string, payload: string | Uint8Array, qos?: 0 | 1, retain?: boolean, id?: number}} o
 */
export function publish({ topic, payload, qos = 0, retain = false, id = 0 }) {
	const body = typeof payload === 'string' ? encoder.encode(payload) : payload;
	return packet(0x30 | (qos << 1) | (retain ? 1 : 0), text(topic), qos ? two(id) : [], body);
}

/**
 * @param {number} id
 * @param {string} filter
 * @param {0 | 1} qos
 */
export const subscribe = (id, filter, qos) => packet(0x82, two(id), text(filter), [qos]);

/**
 * @param {number} id
 * @param {string} filter
 */
export const unsubscribe = (id, filter) => packet(0xa2, two(id), text(filter));

/** @param {number} id */
export const puback = (id) => packet(0x40, two(id));

export const pingreq = () => packet(0xc0);

export const disconnect = () => packet(0xe0);
