// What cameras report, read from JSON that anybody may have written: every
// field ends up with its type and inside its limits, or with its default.

import { clean } from './text.js';

const MAX_BYTES = 64 << 10;
const MAX_SIDE = 16_384;

/**
 * @typedef {{width: number, height: number}} Size
 * @typedef {'online' | 'sleeping' | 'offline'} Status
 * @typedef {{name: string, model: string, source: string, version: string, host: string, maxFPS: number, sizes: Size[]}} Info
 * @typedef {{code: string, text: string}} Problem
 * @typedef {{streaming: boolean, viewers: number, fps: number, width: number, height: number, privacy: boolean,
 *   lastFrame: number | null, error: Problem | null, warning: string}} State lastFrame in ms since the epoch
 * @typedef {{every: number, uptime: number, replaced: number, reconnects: number, temperature: number | null}} Stats every in ms
 * @typedef {{cmd: string, id: string, ok: boolean, code: string, text: string, at: number | null, tookMS: number,
 *   bytes: number, image: string}} Result at in ms since the epoch, by the camera's clock; image is the
 *   ImageUniqueID of the picture
 * @typedef {{kind: string, at: number | null, text: string}} Happening
 */

const decoder = new TextDecoder();

/** @param {Uint8Array} payload */
export function plain(payload) {
	return decoder.decode(payload.subarray(0, MAX_BYTES));
}

/**
 * object returns null for what is not a JSON object of sane size.
 * @param {Uint8Array} payload
 * @returns {Record<string, unknown> | null}
 */
function object(payload) {
	if (payload.length > MAX_BYTES) return null;
	try {
		return record(JSON.parse(decoder.decode(payload)));
	} catch {
		return null;
	}
}

/**
 * @param {unknown} v
 * @returns {Record<string, unknown> | null}
 */
function record(v) {
	return typeof v === 'object' && v !== null && !Array.isArray(v) ? /** @type {Record<string, unknown>} */ (v) : null;
}

/**
 * @param {unknown} v
 * @param {number} most
 */
function number(v, most) {
	return typeof v === 'number' && v >= 0 ? Math.min(v, most) : 0;
}

/** @param {unknown} v */
function time(v) {
	const at = typeof v === 'string' && v.length < 40 ? Date.parse(v) : Number.NaN;
	return Number.isNaN(at) || at <= 0 ? null : at;
}

/**
 * @param {Uint8Array} payload
 * @returns {Status | null}
 */
export function readStatus(payload) {
	const word = plain(payload);
	return word === 'online' || word === 'sleeping' || word === 'offline' ? word : null;
}

/**
 * @param {Uint8Array} payload
 * @returns {Info | null}
 */
export function readInfo(payload) {
	const o = object(payload);
	if (!o || o.standby === true) return null; // another node serves
	const sizes = (Array.isArray(o.sizes) ? o.sizes.slice(0, 64) : []).map(readSize).filter((s) => s !== null);
	return {
		name: clean(o.name),
		model: clean(o.model),
		source: clean(o.source),
		version: clean(o.version, 32),
		host: clean(o.host),
		maxFPS: number(o.max_fps, 120),
		sizes: sizes.sort((a, b) => a.width - b.width),
	};
}

/**
 * @param {unknown} v
 * @returns {Size | null}
 */
function readSize(v) {
	const m = /^(\d{1,5})x(\d{1,5})$/.exec(typeof v === 'string' ? v : '');
	if (!m) return null;
	const [width, height] = [Number(m[1]), Number(m[2])];
	return width > 0 && height > 0 && width <= MAX_SIDE && height <= MAX_SIDE ? { width, height } : null;
}

/**
 * @param {Uint8Array} payload
 * @returns {State | null}
 */
export function readState(payload) {
	const o = object(payload);
	if (!o) return null;
	const e = record(o.error);
	const code = clean(e?.code, 32);
	return {
		streaming: o.streaming === true,
		viewers: number(o.viewers, 1e6),
		fps: number(o.fps, 120),
		width: number(o.width, MAX_SIDE),
		height: number(o.height, MAX_SIDE),
		privacy: o.privacy === true,
		lastFrame: time(o.last_frame),
		error: code && code !== 'ok' ? { code, text: clean(e?.text, 200) } : null,
		warning: clean(o.warning, 200),
	};
}

/**
 * @param {Uint8Array} payload
 * @returns {Stats | null}
 */
export function readStats(payload) {
	const o = object(payload);
	if (!o) return null;
	return {
		every: 1000 * number(o.every, 86_400),
		uptime: number(o.uptime, 1e10),
		replaced: number(o.replaced, 1e15),
		reconnects: number(o.reconnects, 1e15),
		temperature: typeof o.temperature === 'number' ? o.temperature : null,
	};
}

/**
 * @param {Uint8Array} payload
 * @returns {Result | null}
 */
export function readResult(payload) {
	const o = object(payload);
	if (!o) return null;
	return {
		cmd: clean(o.cmd, 32),
		id: clean(o.id),
		ok: o.ok === true,
		code: clean(o.code, 32),
		text: clean(o.text, 300),
		at: time(o.ts),
		tookMS: number(o.took_ms, 1e9),
		bytes: number(o.bytes, 1e9),
		image: clean(o.image),
	};
}

/**
 * @param {Uint8Array} payload
 * @returns {Happening | null}
 */
export function readEvent(payload) {
	const o = object(payload);
	const kind = clean(o?.event_type, 32);
	return o && kind ? { kind: kind.replaceAll('_', ' '), at: time(o.ts), text: clean(o.text, 200) } : null;
}
