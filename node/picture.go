package node

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"camqtt/internal/jpeg"
	"camqtt/internal/wire"
	"camqtt/node/camera"
)

// picture is a whole JPEG as it came. It gets a head of ours once it is to be sent.
type picture struct {
	at      time.Time
	raw     []byte // as it came; nil when dressed
	info    jpeg.Info
	head    []byte // takes the place of what is before info.Body
	dressed []byte // all of it in one piece, once that is needed
	id      string // ImageUniqueID, once there is a head
}

// size is that of the picture in bytes, without what is added to it when it is sent.
func (p *picture) size() int { return max(len(p.raw), len(p.dressed)) }

// dress gives the picture its head, with EXIF and Huffman tables.
func (l *loop) dress(p *picture) {
	if p.head != nil {
		return
	}
	prof := l.profile()
	p.id = l.imageID(p.at)
	p.head = jpeg.Head(p.raw, p.info, jpeg.EXIF{
		Time: p.at, Make: prof.Make, Model: prof.Model, ID: p.id, Orientation: l.opts.Orientation,
	})
}

// bytes returns the picture with its head in one piece.
func (l *loop) bytes(p *picture) []byte {
	if p.dressed == nil {
		l.dress(p)
		p.dressed = slices.Concat(p.head, p.info.Body(p.raw))
		p.raw = nil
	}
	return p.dressed
}

// liveMessage returns the message of a kind with the picture, which is not copied for it.
func (l *loop) liveMessage(k wire.Kind, p *picture) wire.Message {
	if p.dressed != nil {
		return l.Node.message(k, p.dressed)
	}
	l.dress(p)
	m := l.Node.message(k, p.info.Body(p.raw))
	m.Head = p.head
	return m
}

// imageID makes the 32 hexadecimal digits of an EXIF ImageUniqueID: the time in
// microseconds, the node's instance, and a count.
func (l *loop) imageID(at time.Time) string {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], uint64(at.UnixMicro()))
	copy(b[8:14], l.instance[:6])
	l.dressed++
	binary.BigEndian.PutUint16(b[14:], l.dressed)
	return hex.EncodeToString(b[:])
}

// picture handles one frame from the camera: checks it, then gives it to those
// who wait for a snapshot, or to the live stream.
func (l *loop) picture(f camera.Frame) {
	now := time.Now()
	if l.run.closing {
		f.Report(camera.ErrClosed)
		return
	}
	info, err := f.Info, error(nil)
	if info.Len == 0 || info.Len > len(f.JPEG) {
		info, err = jpeg.Scan(f.JPEG)
	}
	if err != nil {
		f.Report(fmt.Errorf("%w: %w", camera.ErrDamaged, err))
		l.why = err.Error()
		if l.count.broken.Add(1) == 1 {
			l.opts.Log.Warn("picture is not a whole JPEG, dropped", "bytes", len(f.JPEG), "err", err)
		}
		return
	}
	f.JPEG = f.JPEG[:info.Len]
	if !l.run.warm() {
		l.stated.dirty = true
	}
	broken, _ := l.broken()
	l.run.saw(now, broken)
	l.run.prompt.came(f.At, now)
	l.learned()
	l.first.seen()
	p := &picture{at: f.At, raw: f.JPEG, info: info}
	switch {
	case !l.wanted() && !l.sends || l.fits(p):
		if p.size() <= l.limit.most() {
			l.scaled("")
		}
		l.use(p, f, now)
	case shrinkable(l.profile()):
		l.shrinker.put(oversize{frame: f, size: len(l.bytes(p)), most: l.limit.most(), run: l.run})
	default:
		f.Report(fmt.Errorf("%w: %s", camera.ErrTooLarge, l.tooLarge(len(l.bytes(p)), now)))
	}
}

// shrunk goes on with a picture that has been made smaller.
func (l *loop) shrunk(s shrunk) {
	now := time.Now()
	if l.run != s.run || l.run.closing {
		s.frame.Report(camera.ErrClosed)
		return
	}
	info, err := jpeg.Scan(s.jpeg)
	if p := (&picture{at: s.frame.At, raw: s.jpeg, info: info}); s.err == nil && err == nil && l.fits(p) {
		l.scaled(s.warning(s.most))
		l.use(p, s.frame, now)
		return
	}
	l.opts.Log.Debug("picture not made smaller", "bytes", s.size, "err", errors.Join(s.err, err))
	s.frame.Report(fmt.Errorf("%w: %s", camera.ErrTooLarge, l.tooLarge(s.size, now)))
}

// scaled notes whether pictures are made smaller, and why.
func (l *loop) scaled(warning string) {
	if l.scaling != warning && (l.scaling == "" || warning == "") { // the text counts bytes
		l.scaling, l.stated.dirty = warning, true
		if warning != "" {
			l.opts.Log.Warn("pictures are scaled down", "why", warning)
		}
	}
}

// use takes a picture that may be sent, made of a frame.
func (l *loop) use(p *picture, f camera.Frame, now time.Time) {
	l.recovered(p)
	l.lastPic, l.lastAt = p, p.at
	l.sized(p.info.Width, p.info.Height)
	l.kept.picture(lastPicture{wire.At(p.at), p.info.Width, p.info.Height, l.run.mode.Quality}, now)
	if l.dozes && l.outbox.full() {
		f.Report(camera.ErrBusy)
		return
	}
	served := l.satisfied(p)
	switch {
	case slices.ContainsFunc(served, request.deliberate):
		l.shoot(p, served, now)
		f.Report(nil)
		return
	case l.dozes: // the board's next picture waits until this one is safe
		push := request{cause: wire.CausePush, at: p.at, accepted: func() { f.Report(nil) }}
		l.shoot(p, append([]request{push}, served...), now)
		return
	case len(served) > 0:
		l.show(p, served, now)
	}
	if !l.dozes && len(l.leases) > 0 && l.pace.due(now, l.rate()) {
		l.sendLive(p, now)
	}
	f.Report(nil)
}

// sifting is a source that drops broken pictures itself and counts them, as
// those of package camera do.
type sifting interface {
	Broken() (n uint64, why string)
}

// broken returns how many pictures so far were not whole, wherever that was
// noticed, and what was wrong with one of the last.
func (l *loop) broken() (uint64, string) {
	n, why := l.count.broken.Load(), l.why
	if s, ok := l.opts.Source.(sifting); ok {
		m, last := s.Broken()
		if n += m; m > 0 {
			why = last
		}
	}
	return n, why
}

// fits reports whether a picture may be sent at all.
func (l *loop) fits(p *picture) bool {
	// Dressing a picture that is not sent after all would be for nothing.
	return len(p.raw)+mostHead <= l.limit.most() || len(l.bytes(p)) <= l.limit.most()
}

// mostHead is more than a head of ours adds to a picture, in bytes.
const mostHead = 16 << 10

// recovered ends a fault: the camera delivers again. A picture that is too large as well
// does not end that it is.
func (l *loop) recovered(p *picture) {
	if l.fault != nil && (l.fault.code != wire.TooLarge || p.size() <= l.limit.most()) {
		l.opts.Log.Info("camera delivers again", "after", string(l.fault.code))
		l.fault = nil
		l.stated.dirty = true
	}
}

// tooLarge tells all who wait for a picture what to set, and keeps it from a broker
// that would end the connection over it.
func (l *loop) tooLarge(size int, now time.Time) (text string) {
	text = l.notSent(size, now)
	l.refuseAll(wire.TooLarge, text)
	return text
}

// notSent says in state.error that a picture is too large.
func (l *loop) notSent(size int, now time.Time) (text string) {
	l.count.tooLarge.Add(1)
	text = l.limit.text(size)
	news := l.fault == nil || l.fault.code != wire.TooLarge
	l.fault = &fault{code: wire.TooLarge, text: text, at: now}
	if news {
		l.opts.Log.Warn("picture too large, not sent", "bytes", size, "limit", l.limit.most())
		l.stated.dirty = true
		l.outbox.add(item{shot: &shot{event: &wire.Event{Type: wire.EventError, TS: wire.At(now), Code: wire.TooLarge, Text: text}}})
	}
	return text
}

// satisfied takes the requests out that a picture satisfies: those that allow one exposed
// when it was. While the connection is slower than requests come, they wait for a later
// one and share it. Leases that wait for their first picture are answered.
func (l *loop) satisfied(p *picture) (served []request) {
	crowded := l.outbox.crowded()
	l.pending = keep(l.pending, func(r request) bool {
		switch {
		case r.lease:
			l.answer(r.cmd, r.at, wire.OK, r.note)
			return false
		case p.at.Before(r.oldest()), crowded && r.asked():
			return true
		}
		served = append(served, r)
		return false
	})
	return served
}

// shoot publishes a deliberate picture with the results of all who asked.
func (l *loop) shoot(p *picture, served []request, now time.Time) {
	l.seq++
	jpg, first := l.bytes(p), served[slices.IndexFunc(served, request.deliberate)]
	if first.cause == "" {
		first.cause = wire.CauseCommand
	}
	s := &shot{
		jpeg: jpg, retain: l.settings.retain, accepted: first.accepted,
		meta: wire.Meta{
			TS: wire.At(p.at), Seq: l.seq, Cause: first.cause, ID: first.cmd.ID, Bytes: len(jpg),
			Width: p.info.Width, Height: p.info.Height, Warm: !first.cold, TookMS: since(first.at, now), Image: p.id,
		},
		event: &wire.Event{Type: wire.EventSnapshot, TS: wire.At(p.at), Seq: l.seq, Cause: first.cause, Bytes: len(jpg), Image: p.id},
	}
	s.results = resultsOf(served, s.meta, now)
	l.publish(s, now)
}

// show publishes a picture on preview only, with the results of all who asked.
func (l *loop) show(p *picture, served []request, now time.Time) {
	jpg := l.bytes(p)
	about := wire.Meta{Bytes: len(jpg), Image: p.id}
	l.publish(&shot{jpeg: jpg, still: true, retain: l.settings.retain, results: resultsOf(served, about, now)}, now)
}

func (l *loop) publish(s *shot, now time.Time) {
	l.outbox.add(item{shot: s})
	l.previewNext = now.Add(l.settings.previewEvery)
	l.stated.dirty = true
}

// resultsOf returns the results of those requests that were commands. Only a snap's has
// the number of a deliberate picture.
func resultsOf(served []request, about wire.Meta, now time.Time) []wire.Result {
	var all []wire.Result
	for _, r := range served {
		if !r.asked() {
			continue
		}
		result := wire.Result{
			Cmd: string(r.cmd.Verb), ID: r.cmd.ID, OK: true, Code: wire.OK, Text: r.note,
			TS: wire.At(now), TookMS: since(r.at, now), Bytes: about.Bytes, Image: about.Image,
		}
		if r.deliberate() {
			result.Seq = about.Seq
		}
		all = append(all, result)
	}
	return all
}

// sendLive hands a picture to the live sender, as a preview too when one is due.
func (l *loop) sendLive(p *picture, now time.Time) {
	msgs := []wire.Message{l.liveMessage(wire.KindFrame, p)}
	if !now.Before(l.previewNext) {
		l.previewNext = now.Add(l.settings.previewEvery)
		msgs = append(msgs, l.liveMessage(wire.KindPreview, p))
	}
	l.live.put(msgs)
}

// pace thins a stream to a rate without drifting.
type pace struct{ next time.Time }

// due reports whether a picture that came now is to be sent. A picture a
// quarter of an interval early is in time: cameras jitter.
func (p *pace) due(now time.Time, fps float64) bool {
	every := time.Duration(float64(time.Second) / fps)
	if now.Before(p.next.Add(-every / 4)) {
		return false
	}
	p.next = p.next.Add(every)
	if late := now.Add(-every); p.next.Before(late) {
		p.next = now.Add(every)
	}
	return true
}
