import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';

const read = (/** @type {string} */ name) => readFileSync(new URL(name, import.meta.url), 'utf8');
const page = read('index.html');
const door = read('login.html');
const modules = readdirSync(new URL('.', import.meta.url)).filter((f) => f.endsWith('.js') && !f.endsWith('_test.js'));

test('every module but the first is fetched ahead, and nothing else', () => {
	const ahead = [...page.matchAll(/rel="modulepreload" href="([^"]+)"/g)].map((m) => m[1]);
	assert.deepEqual(
		ahead,
		modules.filter((f) => f !== 'app.js' && f !== 'login.js'),
	);
});

test('every file the page or a module names is there', () => {
	const files = new Set(readdirSync(new URL('.', import.meta.url)));
	const named = [...(page + door).matchAll(/(?:href|src)="([^"#]+)"/g)].map((m) => m[1]);
	for (const f of modules) named.push(...[...read(f).matchAll(/from '\.\/([^']+)'/g)].map((m) => m[1]));
	for (const f of named) assert.ok(files.has(f), f);
});

test('nothing the policy forbids: no inline script, style or handler, no other origin, no markup from text', () => {
	assert.doesNotMatch(page + door, /<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)/i);
	assert.doesNotMatch(page + door + read('app.css') + read('manifest.webmanifest'), /https?:\/\/|@import|url\(/);
	for (const f of modules) {
		assert.doesNotMatch(
			read(f),
			/innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|console\.|localStorage|sessionStorage/,
			f,
		);
	}
});

test('the server fills in one place only', () => {
	assert.deepEqual((page + door).match(/\{\{[^}]*\}\}/g), ['{{.Base}}']);
});

test('every part that code asks for is in the templates that need it', () => {
	const part = (/** @type {string} */ source) =>
		new Set([...source.matchAll(/(?:data-part="|(?:find|value)\(')([a-z]+)/g)].map((m) => m[1]));
	const template = (/** @type {string} */ id) => part(page.split(`<template id="${id}">`)[1].split('</template>')[0]);
	const buttons = ['snap', 'start', 'stop'];
	for (const [id, code, more] of [
		['tile', ['panel.js', 'tile.js'], buttons],
		['focus', ['panel.js', 'focus.js'], buttons],
		['enrol', ['box.js', 'enrol.js'], []],
		['users', ['box.js', 'users.js'], []],
	]) {
		const has = template(id);
		const wanted = new Set([...more, ...code.flatMap((f) => [...part(read(f))])]);
		for (const p of wanted) assert.ok(has.has(p), `${id} lacks ${p}`);
	}
});
