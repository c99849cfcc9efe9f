// What a person is told about a camera: one state, in words.

import { lost } from './cameras.js';
import { clock, perSecond, span } from './text.js';

const PATIENT = 5_000; // ms a camera may take to start before that is remarkable
const STALL_MIN = 2_000; // ms

/**
 * @typedef {'connecting' | 'live' | 'slow' | 'stalled' | 'idle' | 'sleeping' | 'offline' | 'refused' | 'privacy' | 'error'} Name
 * @typedef {{name: Name, text: string}} View
 */

/** What the codes of results and of state.error mean to a person who looks. topics.md: codes */
const CODES = new Map([
	['no_camera', 'No camera'],
	['camera_busy', 'Camera in use by another program'],
	['stalled', 'Camera sends no pictures'],
	['config', 'Wrong configuration'],
	['busy', 'Too much asked at once'],
	['too_large', 'Pictures too large'],
	['privacy', 'Privacy is on'],
	['timeout', 'Camera too slow'],
	['unsupported', 'Not supported'],
]);

/** @param {number} ms */
const whole = (ms) => (ms < 120_000 ? `${Math.round(ms / 1000)} s` : span(ms));

/**
 * @param {{code: string, text: string}} problem
 */
function say({ code, text }) {
	const short = CODES.get(code) ?? (code ? code.replaceAll('_', ' ') : 'Refused');
	return text && text !== code ? `${short}: ${text}` : short;
}

/**
 * view finds the state of a camera as the page has it.
 * @param {import('./feed.js').Feed} feed
 * @param {number} now ms since the epoch
 * @returns {View}
 */
export function view(feed, now) {
	return broker(feed) ?? presence(feed, now) ?? pictures(feed, now);
}

/**
 * @param {import('./feed.js').Feed} feed
 * @returns {View | null}
 */
function broker(feed) {
	const { state, reason } = feed.broker;
	if (state === 'refused') return { name: 'refused', text: `Broker refuses: ${reason}` };
	if (state !== 'up') return { name: 'connecting', text: 'Waiting for the broker' };
	return feed.denied ? { name: 'refused', text: 'No right to see these pictures' } : null;
}

/**
 * @param {import('./feed.js').Feed} feed
 * @param {number} now
 * @returns {View | null}
 */
function presence({ camera }, now) {
	if (camera.status === 'offline') {
		const since = camera.offlineSince ? ` since ${clock(camera.offlineSince, now)}` : '';
		return { name: 'offline', text: `Offline${since}` };
	}
	if (lost(camera, now)) return { name: 'offline', text: `Offline: not heard since ${clock(camera.heard, now)}` };
	if (!camera.state?.privacy) return null;
	const { error } = camera.state; // the camera's own are of no interest while it is closed
	return { name: 'privacy', text: error?.code === 'config' ? `Privacy is on: ${error.text}` : 'Privacy is on' };
}

/**
 * @param {import('./feed.js').Feed} feed
 * @param {number} now
 * @returns {View}
 */
function pictures(feed, now) {
	const { camera } = feed;
	const drawnFor = now - Math.max(feed.lastDrawn, 0);
	const begun = feed.since > 0 && feed.lastDrawn >= feed.since;
	if (begun && drawnFor <= patience(feed)) {
		if (!feed.leased && !camera.state?.streaming) return { name: 'idle', text: 'Stopped' };
		if (feed.rateLimiter.slow) return { name: 'slow', text: `Too slow: ${perSecond(feed.fps)} at most` };
		return { name: 'live', text: 'Live' };
	}
	if (camera.state?.error) return { name: 'error', text: say(camera.state.error) };
	if (feed.since > 0 && now - feed.lastBroken <= patience(feed)) return { name: 'error', text: 'Pictures are broken' };
	if (feed.refusal) return { name: feed.refusal.code === 'privacy' ? 'privacy' : 'refused', text: say(feed.refusal) };
	if (camera.status === 'sleeping') return { name: 'sleeping', text: 'Sleeping' };
	if (!feed.leased) return { name: 'idle', text: feed.paused ? 'Stopped' : 'Idle' };
	if (begun) return { name: 'stalled', text: `Stalled for ${whole(drawnFor)}` };
	const waited = now - feed.since;
	if (waited <= PATIENT + patience(feed)) return { name: 'connecting', text: 'Starting' };
	return { name: 'stalled', text: `No picture for ${whole(waited)}` };
}

/**
 * patience is how long a picture may be missing: three frame times, or two
 * seconds if that is more.
 * @param {import('./feed.js').Feed} feed
 */
function patience({ camera, fps }) {
	const rates = [fps, camera.state?.fps ?? 0, camera.info?.maxFPS ?? 0].filter((r) => r > 0);
	return rates.length > 0 ? Math.max(STALL_MIN, 3000 / Math.min(...rates)) : STALL_MIN;
}
