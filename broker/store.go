package broker

import (
	"context"
	"iter"
	"time"

	"camqtt/broker/internal/messagestore"
	"camqtt/internal/ratelog"
)

// compactAgain is how long a rewrite of the log that failed is not tried again.
const compactAgain = time.Minute

// store carries the retained messages to the disk and back. It is used by one goroutine.
type store struct {
	b    *Broker
	disk *messagestore.Store // nil: nothing is kept
	wait time.Time           // until the log may be rewritten again
}

// openStore makes the folder and reads what it holds.
func openStore(b *Broker) (*store, error) {
	s := &store{b: b}
	if b.data == "" {
		return s, nil
	}
	disk, err := messagestore.Open(b.data, messagestore.Options{
		MessageBytes: max(b.limits.RetainedMessage, defaultRetainedMessage),
		PictureBytes: b.limits.Packet,
		Damaged: func(file string, why error) {
			b.count.storeErrors.Add(1)
			b.log.out.Error("retained file damaged, set aside", "file", file, "why", ratelog.Short(why))
		},
		Foreign: func(file string, why error) { b.log.warn("retained picture left alone", "file", file, "err", why) },
	})
	if err != nil {
		return nil, err
	}
	if err := disk.Load(s.load); err != nil {
		disk.Close()
		return nil, err
	}
	s.disk = disk
	b.retained.stored()
	s.markOffline()
	return s, nil
}

// load takes one message that the disk has.
func (s *store) load(r messagestore.Message) error {
	m, err := s.recorded(r)
	if err != nil {
		return err
	}
	if m.expired(time.Now()) {
		s.b.retained.remove(m.topic)
		return nil
	}
	s.b.retained.set(m)
	return nil
}

// markOffline says of every camera that was online when the broker went down that it
// is not: its will went down with the broker.
func (s *store) markOffline() {
	for _, topic := range s.b.retained.topics(s.b.base + "/+/status") {
		s.b.retained.replace(topic, "online", "offline")
	}
}

// run writes what changed, every while, until ctx is done.
func (s *store) run(ctx context.Context) {
	tick := time.NewTicker(s.b.limits.StoreEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			s.flush(now)
		}
	}
}

// flush writes what has waited long enough at a time; the zero time is the last, when
// nothing waits any longer. What cannot be written is tried again the next time.
func (s *store) flush(now time.Time) {
	if s.disk == nil {
		return
	}
	changed, gone := s.b.retained.take(now)
	s.compact(now)
	ms := make([]messagestore.Message, 0, len(changed)+len(gone))
	for _, m := range changed {
		ms = append(ms, recordOf(m))
	}
	for _, topic := range gone {
		_, k := picture(s.b.base, topic)
		ms = append(ms, messagestore.Message{Topic: topic, Picture: k != ordinary})
	}
	if len(ms) == 0 {
		return
	}
	files, failed, err := s.disk.Write(ms)
	s.b.count.storeWrites.Add(int64(files))
	for _, m := range changed {
		m.payload.Release()
	}
	if s.done(err) {
		return
	}
	s.b.retained.touch(failed...)
}

// compact rewrites the log where most of it is out of date.
func (s *store) compact(now time.Time) {
	if !s.disk.Wasteful() || now.Before(s.wait) && !now.IsZero() {
		return
	}
	err := s.disk.Compact(records(s.b.retained.ordinary()))
	if s.done(err) {
		s.b.count.storeWrites.Add(1)
		return
	}
	s.wait = now.Add(compactAgain)
}

func records(all iter.Seq[*message]) iter.Seq[messagestore.Message] {
	return func(yield func(messagestore.Message) bool) {
		for m := range all {
			if !yield(recordOf(m)) {
				return
			}
		}
	}
}

// done notes how writing went. true: well.
func (s *store) done(err error) bool {
	s.b.storeFailing.Store(err != nil)
	if err == nil {
		return true
	}
	s.b.count.storeErrors.Add(1)
	s.b.log.warn("retained messages cannot be written", "err", err)
	return false
}

// close gives the folder back.
func (s *store) close() {
	if s.disk != nil {
		s.disk.Close()
	}
}
