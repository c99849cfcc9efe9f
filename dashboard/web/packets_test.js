import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as packets from './packets.js';

const encoder = new TextEncoder();

/** @param {...(number[] | Uint8Array | string)} parts */
function bytes(...parts) {
	return Uint8Array.from(parts.flatMap((p) => [...(typeof p === 'string' ? encoder.encode(p) : p)]));
}

/** @param {packets.Reader} reader @param {Uint8Array} all @param {number} step */
function readCut(reader, all, step) {
	const found = [];
	for (let at = 0; at < all.length; at += step) {
		for (const p of reader.read(all.slice(at, at + step))) found.push(packets.decode(p.head, p.body));
	}
	return found;
}

const picture = new Uint8Array(70_000).map((_, i) => i * 7);
const stream = bytes(
	[0x20, 2, 0, 0],
	[0x90, 3, 0, 1, 0],
	[0xd0, 0],
	packets.publish({ topic: 'cam/porch/frame', payload: picture }),
	packets.publish({ topic: 'cam/porch/status', payload: 'online', qos: 1, retain: true, id: 513 }),
	[0xd0, 0],
	[0x40, 2, 0, 9],
	[0xb0, 2, 0, 4],
	packets.publish({ topic: 'cam/porch/info', payload: '' }),
);

test('packets cut and merged anywhere come out the same', () => {
	const whole = readCut(new packets.Reader(), stream, stream.length);
	assert.deepEqual(
		whole.map((p) => p.type),
		['connack', 'suback', 'pingresp', 'publish', 'publish', 'pingresp', 'puback', 'unsuback', 'publish'],
	);
	assert.deepEqual(whole[3].payload, picture);
	assert.deepEqual(whole[4], {
		type: 'publish',
		topic: 'cam/porch/status',
		payload: encoder.encode('online'),
		qos: 1,
		retain: true,
		id: 513,
	});
	assert.equal(whole[8].payload.length, 0);
	for (const step of [1, 2, 3, 5, 127, 128, 1000, 4096, 65_536]) {
		assert.deepEqual(readCut(new packets.Reader(), stream, step), whole, `cut every ${step} bytes`);
	}
});

test('a packet inside one chunk is not copied', () => {
	const chunk = packets.publish({ topic: 'a', payload: picture });
	const [{ head, body }] = [...new packets.Reader().read(chunk)];
	const p = packets.decode(head, body);
	assert.equal(p.type, 'publish');
	assert.equal(p.payload.buffer, chunk.buffer);
});

test('remaining length: all four sizes and its limits', () => {
	for (const length of [0, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152]) {
		const p = packets.publish({ topic: 'ab', payload: new Uint8Array(length) });
		const [{ body }] = [...new packets.Reader().read(p)];
		assert.equal(body.length, length + 4);
	}
	const read = (/** @type {number[]} */ b, max = packets.MAX_PACKET) => [
		...new packets.Reader(max).read(Uint8Array.from(b)),
	];
	assert.throws(() => read([0x30, 0xff, 0xff, 0xff, 0xff, 0x01]), packets.Malformed);
	assert.throws(() => read([0x30, 0x80, 0x80, 0x80, 0x80]), packets.Malformed);
	assert.throws(() => read([0x30, 0xff, 0xff, 0xff, 0x7f]), /want at most 8388608/);
	assert.throws(() => read([0x30, 101], 100), packets.Malformed);
	assert.deepEqual(read([0x30, 0x80, 0x01]), []);
});

test('what no server may send is malformed', () => {
	/** @type {[string, number, Uint8Array][]} */
	const bad = [
		['connack too short', 0x20, bytes([0])],
		['connack too long', 0x20, bytes([0, 0, 0])],
		['connack with flags', 0x20, bytes([2, 0])],
		['connack with header flags', 0x21, bytes([0, 0])],
		['publish of one byte', 0x30, bytes([0])],
		['publish with a topic past its end', 0x30, bytes([0, 9], 'abc')],
		['publish without topic', 0x30, bytes([0, 0], 'x')],
		['publish with a wildcard', 0x30, bytes([0, 3], 'a/+')],
		['publish with NUL', 0x30, bytes([0, 2], 'a\0')],
		['publish with bad UTF-8', 0x30, bytes([0, 2, 0xc3, 0x28])],
		['publish with QoS 2', 0x34, bytes([0, 1], 'a', [0, 1])],
		['publish with QoS 3', 0x36, bytes([0, 1], 'a', [0, 1])],
		['publish QoS 1 without id', 0x32, bytes([0, 1], 'a')],
		['publish QoS 1 with id 0', 0x32, bytes([0, 1], 'a', [0, 0])],
		['puback too short', 0x40, bytes([1])],
		['puback with id 0', 0x40, bytes([0, 0])],
		['suback without code', 0x90, bytes([0, 1])],
		['suback with an odd code', 0x90, bytes([0, 1, 3])],
		['unsuback too long', 0xb0, bytes([0, 1, 0])],
		['pingresp with a body', 0xd0, bytes([0])],
		['connect', 0x10, bytes([])],
		['subscribe', 0x82, bytes([0, 1, 0, 1], 'a', [0])],
		['pingreq', 0xc0, bytes([])],
		['disconnect', 0xe0, bytes([])],
		['type 0', 0x00, bytes([])],
		['type 15', 0xf0, bytes([])],
	];
	for (const [name, head, body] of bad) assert.throws(() => packets.decode(head, body), packets.Malformed, name);
});

test('garbage never does anything but throw Malformed', () => {
	let seed = 1;
	const random = () => {
		seed = (seed * 1103515245 + 12345) & 0x7fffffff;
		return seed >> 8;
	};
	for (let i = 0; i < 3000; i++) {
		const junk = new Uint8Array(random() % 64).map(() => random() & 255);
		const reader = new packets.Reader();
		try {
			readCut(reader, junk, 1 + (random() % 9));
		} catch (e) {
			assert.ok(e instanceof packets.Malformed, String(e));
		}
	}
});

test('connect carries id, keepalive, account and will', () => {
	const plain = packets.connect({ id: 'web-1', keepalive: 30 });
	assert.deepEqual(
		[...plain],
		[0x10, 17, 0, 4, ...encoder.encode('MQTT'), 4, 2, 0, 30, 0, 5, ...encoder.encode('web-1')],
	);
	const full = packets.connect({
		id: 'a',
		keepalive: 600,
		username: 'u',
		password: 'p',
		will: { topic: 't', payload: 'gone', qos: 1, retain: true },
	});
	assert.equal(full[9], 2 | 4 | 8 | 32 | 128 | 64);
	assert.deepEqual([...full.slice(12)], [...bytes([0, 1], 'a', [0, 1], 't', [0, 4], 'gone', [0, 1], 'u', [0, 1], 'p')]);
});

test('what the client sends besides', () => {
	assert.deepEqual([...packets.subscribe(258, 'a/+', 1)], [0x82, 8, 1, 2, 0, 3, ...encoder.encode('a/+'), 1]);
	assert.deepEqual([...packets.unsubscribe(3, 'a')], [0xa2, 5, 0, 3, 0, 1, 97]);
	assert.deepEqual([...packets.puback(515)], [0x40, 2, 2, 3]);
	assert.deepEqual([...packets.pingreq()], [0xc0, 0]);
	assert.deepEqual([...packets.disconnect()], [0xe0, 0]);
	assert.throws(() => packets.subscribe(1, 'x'.repeat(65_536), 0), RangeError);
});
