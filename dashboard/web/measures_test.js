import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Clock } from './clock.js';
import { Meter } from './meter.js';
import { RateLimiter } from './ratelimiter.js';
import { bytes, clean, perSecond, span, stamp } from './text.js';

test('clock: agreeing clocks are left alone, differing ones corrected by the fastest picture', () => {
	const same = new Clock();
	same.learn(1000, 1040);
	assert.deepEqual([same.difference, same.age(1000, 1540), same.lag(1000, 1540)], [0, 540, 500]);
	for (const off of [-3_600_000, 3_600_000]) {
		const c = new Clock();
		c.learn(1e9 + off, 1e9 + 80);
		c.learn(1e9 + off + 100, 1e9 + 130);
		c.learn(1e9 + off + 200, 1e9 + 700);
		assert.equal(c.age(1e9 + off + 200, 1e9 + 700), 470);
		assert.equal(c.lag(1e9 + off + 200, 1e9 + 700), 470);
	}
	assert.equal(new Clock().age(2000, 1000), 0);
	assert.equal(new Clock().lag(0, 1e12), 0);
});

test('clock: one that was set back is learnt anew', () => {
	const c = new Clock();
	c.learn(1e9 + 3_600_000, 1e9);
	c.learn(1e9 + 200, 1e9 + 220);
	assert.equal(c.difference, 0);
	assert.equal(c.lag(1e9 + 200, 1e9 + 220), 0);
});

test('clock: an answer tells a slow line from a clock that differs', () => {
	const slow = new Clock();
	slow.learn(1e9, 1e9 + 5000);
	assert.equal(slow.unsure, true);
	slow.answered(1e9 + 3000, 1e9 + 3040); // it heard the question by our clock, or nearly
	assert.equal(slow.unsure, false);
	assert.deepEqual([slow.difference, slow.age(1e9, 1e9 + 6000)], [0, 6000]);
	for (const off of [-3_600_000, 3_600_000]) {
		const both = new Clock(); // another clock and a line that takes 5 s
		both.learn(1e9 + off, 1e9 + 5000);
		both.answered(1e9, 1e9 + off + 60);
		assert.equal(both.unsure, false);
		assert.equal(both.age(1e9 + off, 1e9 + 6000), 6060);
		both.learn(1e9 + 2 * off - 10_000_000, 1e9 + 7000); // set back
		assert.equal(both.unsure, true);
	}
	const fast = new Clock();
	fast.learn(1e9, 1e9 + 30);
	assert.equal(fast.unsure, false);
});

/** run plays seconds of pictures: [arrived, replaced, lag] each */
function run(limiter, from, seconds, base, arrived, replaced, lag) {
	for (let s = 1; s <= seconds; s++) {
		for (let i = 0; i < arrived; i++) limiter.arrived();
		for (let i = 0; i < replaced; i++) limiter.replaced();
		for (let i = 0; i < arrived - replaced; i++) limiter.drawn(lag);
		limiter.judge(from + 1000 * s, base);
	}
	return from + 1000 * seconds;
}

test('rate limiter: halves down to 1 while pictures are late, never below, and a wish below 1 stays', () => {
	const limiter = new RateLimiter();
	limiter.reset(0);
	let at = run(limiter, 0, 6, 15, 15, 0, 3000);
	assert.equal(limiter.fps(15), 7.5);
	at = run(limiter, at, 60, 15, 5, 0, 3000);
	assert.equal(limiter.fps(15), 1);
	assert.equal(limiter.fps(0.2), 0.2);
	assert.equal(limiter.slow, true);
});

test('rate limiter: a fine line is left alone', () => {
	const limiter = new RateLimiter();
	limiter.reset(0);
	run(limiter, 0, 120, 15, 15, 2, 300);
	assert.deepEqual([limiter.fps(15), limiter.slow], [15, false]);
});

test('rate limiter: tries more after a while, and waits longer when that was wrong', () => {
	const limiter = new RateLimiter();
	limiter.reset(0);
	let at = run(limiter, 0, 6, 8, 8, 0, 3000);
	assert.equal(limiter.fps(8), 4);
	at = run(limiter, at, 15, 8, 4, 0, 50);
	assert.equal(limiter.fps(8), 8);
	at = run(limiter, at, 6, 8, 8, 0, 3000);
	assert.equal(limiter.fps(8), 4);
	at = run(limiter, at, 15, 8, 4, 0, 50);
	assert.equal(limiter.fps(8), 4);
	run(limiter, at, 10, 8, 4, 0, 50);
	assert.equal(limiter.fps(8), 8);
});

test('meter: amounts per second of the last five', () => {
	const m = new Meter();
	for (let t = 0; t <= 10_000; t += 100) m.add(t, 1000);
	assert.equal(Math.round(m.perSecond(10_000)), 10_000);
	assert.equal(m.perSecond(15_001), 0);
	m.reset();
	assert.equal(m.perSecond(15_001), 0);
});

test('text: numbers for people', () => {
	assert.deepEqual([0, 999, 1000, 58_400, 999_499, 999_501, 2_340_000].map(bytes), [
		'0 B',
		'999 B',
		'1.0 kB',
		'58 kB',
		'999 kB',
		'1.0 MB',
		'2.3 MB',
	]);
	assert.deepEqual([-5, 240, 9940, 9960, 65_000, 121_000, 7_200_000, 172_800_000].map(span), [
		'0.0 s',
		'0.2 s',
		'9.9 s',
		'10 s',
		'65 s',
		'2 min',
		'2 h',
		'2 days',
	]);
	assert.deepEqual([5, 5.02, 7.5, 0.2, 12.4].map(perSecond), ['5 fps', '5 fps', '7.5 fps', '0.2 fps', '12 fps']);
	assert.match(stamp(Date.now()), /^\d{8}-\d{6}$/);
});

test('text: clean leaves one harmless line', () => {
	assert.equal(clean('a\u202Eb\u0007c\r\n\u2028d\u200f'), 'a b c d');
	assert.equal(clean('  Küche 📷 <b>'), 'Küche 📷 <b>');
	assert.equal(clean('📷'.repeat(100), 10), `${'📷'.repeat(9)}…`);
	for (const v of [null, undefined, 7, {}, ['x']]) assert.equal(clean(v), '');
});
