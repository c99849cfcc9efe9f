import assert from 'node:assert/strict';
import { test } from 'node:test';
import { look, moment, upright } from './exif.js';

const ASCII = (/** @type {string} */ s) => [...s].map((c) => c.charCodeAt(0));

/** tiff writes IFD0 with orientation and an EXIF directory with three times, in either byte order. */
function tiff({ little = false, orientation = 1, date = '2026:11:20 04:30:00', sub = '25', offset = '+01:00' } = {}) {
	const size = { 2: 1, 3: 2, 4: 4 };
	const two = (n) => (little ? [n & 255, n >> 8] : [n >> 8, n & 255]);
	const four = (n) => (little ? [...two(n & 0xffff), ...two(n >>> 16)] : [...two(n >>> 16), ...two(n & 0xffff)]);
	const directory = (at, entries) => {
		const out = [...two(entries.length)];
		const data = [];
		const dataAt = at + 2 + 12 * entries.length + 4;
		for (const [tag, kind, value] of entries) {
			const v = kind === 2 ? [...ASCII(value), 0] : kind === 3 ? two(value) : four(value);
			out.push(...two(tag), ...two(kind), ...four(v.length / size[kind]));
			if (v.length <= 4) out.push(...v, ...Array(4 - v.length).fill(0));
			else {
				out.push(...four(dataAt + data.length));
				data.push(...v);
			}
		}
		return [...out, ...four(0), ...data];
	};
	const first = 2 + 12 * 2 + 4 + 8;
	const exif = [[0x9003, 2, date]];
	if (sub) exif.push([0x9291, 2, sub]);
	if (offset) exif.push([0x9011, 2, offset]);
	exif.push([0xa420, 2, '0190abcd0190abcd0190abcd0190abcd']);
	return [
		...ASCII(little ? 'II' : 'MM'),
		...two(42),
		...four(8),
		...directory(8, [
			[0x0112, 3, orientation],
			[0x8769, 4, first],
		]),
		...directory(first, exif),
	];
}

/** jpeg is a header and an end, with what lies between; nothing decodes it. */
function jpeg({ exif = null, width = 640, height = 480, sof = 0xc0, before = [], after = [0xff, 0xd9] } = {}) {
	const app1 = exif ? [...ASCII('Exif\0\0'), ...exif] : [];
	const segment = app1.length ? [0xff, 0xe1, (app1.length + 2) >> 8, (app1.length + 2) & 255, ...app1] : [];
	const frame = [0xff, sof, 0, 11, 8, height >> 8, height & 255, width >> 8, width & 255, 1, 1, 17, 0];
	return Uint8Array.from([0xff, 0xd8, ...before, ...segment, ...frame, 0xff, 0xda, 0, 2, 1, 2, 3, ...after]);
}

test('time and orientation in both byte orders', () => {
	for (const little of [false, true]) {
		const seen = look(jpeg({ exif: tiff({ little, orientation: 6 }) }));
		assert.equal(seen?.width, 640);
		assert.equal(seen?.height, 480);
		assert.equal(seen?.orientation, 6);
		assert.equal(seen?.image, '0190abcd0190abcd0190abcd0190abcd');
		assert.equal(seen?.captured, Date.parse('2026-11-20T03:30:00.250Z'));
	}
});

test('a picture inside a larger buffer is read at its own place', () => {
	const j = jpeg({ exif: tiff({ orientation: 8 }) });
	const large = new Uint8Array(j.length + 20).fill(0xff);
	large.set(j, 10);
	const seen = look(large.subarray(10, 10 + j.length));
	assert.equal(seen?.orientation, 8);
	assert.equal(seen?.captured, Date.parse('2026-11-20T03:30:00.250Z'));
});

test('upright sets orientation 1 in a copy', () => {
	for (const little of [false, true]) {
		const j = jpeg({ exif: tiff({ little, orientation: 5 }) });
		const kept = j.slice();
		const turned = upright(j, look(j));
		assert.equal(look(turned)?.orientation, 1);
		assert.deepEqual(j, kept);
		assert.equal(turned.length, j.length);
		assert.equal(turned.filter((b, i) => b !== j[i]).length, 1);
	}
	const straight = jpeg();
	assert.equal(upright(straight, look(straight)), straight);
});

test('without EXIF there is a size and no time', () => {
	const seen = look(jpeg({ width: 1, height: 65_535, sof: 0xc2 }));
	assert.deepEqual([seen?.width, seen?.height, seen?.captured, seen?.orientation], [1, 65_535, null, 1]);
});

test('fill bytes, other segments and padding after the end are passed over', () => {
	const seen = look(
		jpeg({
			before: [0xff, 0xe0, 0, 4, 1, 2, 0xff, 0xff, 0xff, 0xfe, 0, 3, 65],
			exif: tiff(),
			after: [0xff, 0xd9, ...Array(512).fill(0)],
		}),
	);
	assert.equal(seen?.captured, Date.parse('2026-11-20T03:30:00.250Z'));
});

test('what is no whole JPEG is null', () => {
	const good = jpeg({ exif: tiff() });
	/** @type {[string, Uint8Array][]} */
	const bad = [
		['nothing', new Uint8Array()],
		['two bytes', Uint8Array.of(0xff, 0xd8)],
		['PNG', Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0xff, 0xd9)],
		['HTML', Uint8Array.from(ASCII('<img src=x onerror=alert(1)>'))],
		['cut off', good.slice(0, -2)],
		['no size', jpeg({ width: 0 })],
		['no start of frame', Uint8Array.of(0xff, 0xd8, 0xff, 0xda, 0, 2, 0xff, 0xd9)],
		['a segment longer than the file', Uint8Array.of(0xff, 0xd8, 0xff, 0xe0, 0xff, 0xff, 0, 0xff, 0xd9)],
		['a segment of no length', Uint8Array.of(0xff, 0xd8, 0xff, 0xe0, 0, 0, 0, 0xff, 0xd9)],
	];
	for (const [name, b] of bad) assert.equal(look(b), null, name);
});

test('damaged EXIF never throws and never hides the size', () => {
	const good = [...tiff({ orientation: 3 })];
	for (let at = 0; at < good.length; at++) {
		for (const value of [0, 1, 127, 255]) {
			const exif = [...good];
			exif[at] = value;
			const seen = look(jpeg({ exif }));
			assert.equal(seen?.width, 640, `byte ${at} = ${value}`);
			assert.ok(seen.orientation >= 1 && seen.orientation <= 8);
			assert.ok(seen.captured === null || Number.isFinite(seen.captured));
		}
	}
	for (let n = 1; n < good.length; n++) assert.equal(look(jpeg({ exif: good.slice(0, n) }))?.width, 640, `${n} bytes`);
});

test('every cut and random bytes are survived', () => {
	const good = jpeg({ exif: tiff() });
	for (let n = 0; n < good.length; n++) look(Uint8Array.from([...good.slice(0, n), 0xff, 0xd9]));
	let seed = 7;
	for (let i = 0; i < 2000; i++) {
		const junk = new Uint8Array(120).map(() => {
			seed = (seed * 1103515245 + 12345) & 0x7fffffff;
			return seed >> 12;
		});
		junk.set([0xff, 0xd8, 0xff, 0xe1, 0, 100, ...ASCII('Exif\0\0MM\0*')]);
		junk.set([0xff, 0xd9], 118);
		look(junk);
	}
});

test('moment: fractions, offsets, and what is no time', () => {
	const at = Date.parse('2026-01-31T12:00:00.000Z');
	const cases = [
		['2026:01:31 12:00:00', '', '+00:00', at],
		['2026:01:31 12:00:00', '5', 'Z', at + 500],
		['2026:01:31 12:00:00', '012345', '+00:00', at + 12],
		['2026:01:31 12:00:00', 'x', '+00:00', at],
		['2026:01:31 17:30:00', '', '+05:30', at],
		['2026:01:31 04:00:00', '', '-08:00', at],
		['0000:00:00 00:00:00', '', '', null],
		['2026:13:01 00:00:00', '', '', null],
		['2026-01-31 12:00:00', '', '', null],
		['', '', '', null],
	];
	for (const [date, fraction, offset, want] of cases) assert.equal(moment(date, fraction, offset), want, date + offset);
	assert.equal(moment('2026:01:31 12:00:00', '', ''), null);
});
