import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Lease, pick } from './lease.js';

/** @param {import('node:test').TestContext} t */
function open(t) {
	t.mock.timers.enable({ apis: ['setInterval'] });
	const sent = [];
	const lease = new Lease((p) => sent.push(JSON.parse(p)), 'web-1');
	return { lease, sent, tick: (ms) => t.mock.timers.tick(ms) };
}

test('is asked for at once, renewed every 5 s, and given back', (t) => {
	const { lease, sent, tick } = open(t);
	lease.want({ fps: 5, size: '320x240' });
	assert.deepEqual(sent, [{ cmd: 'start', id: 'web-1-lease-1', viewer: 'web-1', fps: 5, size: '320x240', for: '15s' }]);
	tick(4999);
	assert.equal(sent.length, 1);
	tick(1);
	tick(5000);
	assert.equal(sent.length, 3);
	assert.notEqual(sent[1].id, sent[2].id);
	lease.want(null);
	assert.deepEqual(sent.at(-1), { cmd: 'stop', viewer: 'web-1' });
	lease.want(null);
	tick(60_000);
	assert.equal(sent.length, 4);
});

test('the same wish costs nothing, another one goes out at once', (t) => {
	const { lease, sent, tick } = open(t);
	lease.want({ fps: 5, size: '320x240' });
	lease.want({ fps: 5, size: '320x240' });
	assert.equal(sent.length, 1);
	tick(3000);
	lease.want({ fps: 15 });
	assert.equal(sent.length, 2);
	assert.equal('size' in sent[1], false);
	tick(4999);
	assert.equal(sent.length, 2);
	tick(1);
	assert.equal(sent.length, 3);
});

test('dropping it says nothing and the next wish starts anew', (t) => {
	const { lease, sent, tick } = open(t);
	lease.want({ fps: 5 });
	lease.drop();
	assert.equal(lease.held, false);
	tick(20_000);
	assert.equal(sent.length, 1);
	lease.want({ fps: 5 });
	assert.equal(sent.length, 2);
});

test('knows the results that answer it', (t) => {
	const { lease } = open(t);
	assert.equal(lease.owns('web-1-lease-12'), true);
	assert.equal(lease.owns('web-2-lease-1'), false);
	assert.equal(lease.owns('web-1-snap-1'), false);
});

test('pick takes the smallest size that fills, in the shape of the widest', () => {
	const sizes = [
		[160, 120],
		[320, 180],
		[320, 240],
		[640, 360],
		[640, 480],
		[1280, 720],
	].map(([width, height]) => ({ width, height }));
	assert.equal(pick(sizes, 100), '320x180');
	assert.equal(pick(sizes, 320), '320x180');
	assert.equal(pick(sizes, 321), '640x360');
	assert.equal(pick(sizes, 4000), '1280x720');
	assert.equal(pick([], 320), undefined);
});
