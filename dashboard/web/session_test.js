import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeSocket, turn } from './fake_test.js';
import { Client } from './mqtt.js';
import { isOpen } from './safety.js';
import { ask, checkUser } from './session.js';

/** answers plays the server. @param {import('node:test').TestContext} t */
function answers(t, table) {
	const asked = [];
	const went = [];
	globalThis.location = {
		href: 'http://ann:secret@hub:8080/#porch',
		origin: 'http://hub:8080',
		hash: '#porch',
		replace: (/** @type {string} */ to) => went.push(to),
	};
	t.after(() => delete globalThis.location);
	t.mock.method(globalThis, 'fetch', async (url, options) => {
		const path = url.replace('http://hub:8080/', '').replace('?origin=http%3A%2F%2Fhub%3A8080', ''); // without the password, or a browser refuses it
		asked.push(`${options.method} ${path}`);
		const found = table[path];
		if (found === undefined) throw new TypeError('no network');
		const [status, body] = found;
		return new Response(body === null ? null : typeof body === 'string' ? body : JSON.stringify(body), { status });
	});
	return { asked, went };
}

test('checkUser: one request says who looks, and gives the WebSocket no credentials', async (t) => {
	for (const session of [false, true]) {
		const { asked } = answers(t, { 'api/me': [200, { known: true, session, name: '' }] });
		let me;
		assert.equal(await checkUser((m) => (me = m)), undefined);
		assert.equal(me.known, true);
		assert.deepEqual(asked, ['GET api/me']);
	}
});

test('checkUser: a user who is not known goes to the login page, with the camera', async (t) => {
	const { went } = answers(t, { 'api/me': [200, { known: false }] });
	await assert.rejects(
		checkUser(() => {}),
		/log in/,
	);
	assert.deepEqual(went, ['http://hub:8080/login#porch']);
});

test('checkUser: a page whose WebSocket would be refused says why', async (t) => {
	const { asked } = answers(t, {
		'api/me': [200, { known: true, session: true, name: 'ann', refused: 'add http://hub:8080 to dashboard.origins' }],
	});
	await assert.rejects(
		checkUser(() => {}),
		{ status: 403, message: 'add http://hub:8080 to dashboard.origins' },
	);
	assert.equal(asked.length, 1);
});

test('ask: what the server refuses is said in its words, and a lost network in ours', async (t) => {
	answers(t, { a: [403, 'not for you\n'], b: [204, null] });
	await assert.rejects(ask('GET', 'a'), { message: 'not for you', status: 403 });
	assert.equal(await ask('DELETE', 'b'), null);
	await assert.rejects(ask('GET', 'c'), /cannot be reached/);
});

/** checked is a client that waits for a check before each connection. */
function checked(t, beforeConnect) {
	t.mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'Date'] });
	const sockets = [];
	const client = new Client({
		url: 'ws://x',
		id: 'web-0',
		beforeConnect,
		random: () => 0,
		socket: () => {
			const s = new FakeSocket();
			sockets.push(s);
			return s;
		},
	});
	return { client, sockets };
}

test('a WebSocket that does not open although the server answers is said to be so', async (t) => {
	const { client, sockets } = checked(t, async () => {});
	client.resume();
	await turn();
	sockets[0].cut();
	assert.match(client.status.reason, /must pass on Upgrade and Connection$/);
});

test('a client waits for its check before every connection', async (t) => {
	let n = 0;
	const { client, sockets } = checked(t, async () => void n++);
	client.resume();
	assert.deepEqual([n, sockets.length], [1, 0]);
	await turn();
	sockets[0].accept();
	assert.equal(client.up, true);
	assert.equal(Buffer.from(sockets[0].sent[0]).toString('latin1'), '\x10\x11\0\x04MQTT\x04\x02\0\x1e\0\x05web-0');
	sockets[0].cut();
	t.mock.timers.tick(1000);
	await turn();
	sockets[1].accept();
	assert.deepEqual([n, client.up], [2, true]);
	client.suspend();
});

test('a check that ends too late opens nothing', async (t) => {
	let done = () => {};
	const { client, sockets } = checked(t, () => new Promise((resolve) => (done = () => resolve())));
	client.resume();
	client.suspend();
	done();
	await turn();
	assert.equal(sockets.length, 0);
	client.resume();
	t.mock.timers.tick(10_000);
	assert.equal(client.status.state, 'down');
	client.suspend();
});

test('a refused check is reported and tried again', async (t) => {
	const { client } = checked(t, async () => {
		throw Object.assign(new Error('for operators only'), { status: 403 });
	});
	client.resume();
	await turn();
	assert.equal(client.status.state, 'refused');
	assert.equal(client.status.reason, 'for operators only');
	assert.ok(client.status.retryAt > 0);
	client.suspend();
});

test('not encrypted is what others can read, and not what stays on this machine', () => {
	for (const [protocol, hostname, want] of [
		['http:', '192.168.1.5', true],
		['http:', 'pi.local', true],
		['http:', 'localhost.evil.example', true],
		['http:', '127.0.0.1.evil.example', true],
		['http:', 'localhost', false],
		['http:', '127.0.0.1', false],
		['http:', '[::1]', false],
		['https:', '192.168.1.5', false],
	])
		assert.equal(isOpen({ protocol, hostname }), want, hostname);
});
