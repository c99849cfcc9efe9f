// Package messagestore keeps retained messages in a folder: ordinary ones in one log,
// each picture in a file of its own, because pictures are large and change rarely.
//
// A change is appended to the log, so that writing costs what has changed and not what
// there is. The last line of a topic counts; a line without a payload says that the topic
// has no message any more. When most of the log is out of date, the caller has it written
// anew with what there is ([Store.Wasteful], [Store.Compact]). A file that is written
// anew is replaced whole, so a crash at any instant loses at most what was not written
// yet. What is damaged is set aside beside the rest, which is kept.
//
// A [Store] is given messages and knows no broker. It is used by one goroutine.
package messagestore
