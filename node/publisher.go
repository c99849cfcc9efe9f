package node

import (
	"slices"
	"time"

	"golang.org/x/time/rate"

	"camqtt/internal/wire"
	"camqtt/node/camera"
)

// publisher publishes pictures: those that were asked for with their results, the others as
// the live stream while there are leases.
type publisher struct {
	topics
	outbox  *outbox
	live    *live
	limit   *sizeLimit
	newest  *newest
	demand  demand
	sleepy  bool                      // the camera sleeps between its pictures: each of them is a snapshot
	noted   func(*picture, time.Time) // a picture has come
	changed func()

	seq     uint64    // of the newest deliberate picture
	preview time.Time // when a live picture may be a preview again
	rate    *rate.Limiter
}

// rateBurst lets a picture through that comes early: cameras jitter.
const rateBurst = 2

// use publishes a picture that may be sent, made of a frame.
func (p *publisher) use(pic *picture, f camera.Frame, now time.Time) {
	p.newest.set(pic)
	p.noted(pic, now)
	if p.sleepy && p.outbox.full() {
		f.Report(camera.ErrBusy)
		return
	}
	served := p.demand.requests.take(pic.at, p.outbox.crowded())
	deliberate := slices.ContainsFunc(served, request.deliberate)
	if p.sleepy && !deliberate { // the camera's next picture waits until this one is safe
		push := request{cause: wire.CausePush, at: pic.at, accepted: func() { f.Report(nil) }}
		p.snapshot(pic, append([]request{push}, served...), now)
		return
	}
	p.serve(pic, served, now)
	if !deliberate && p.demand.leases.any() {
		p.sendLive(pic, now)
	}
	f.Report(nil)
}

// serve publishes a picture for the requests that it satisfies.
func (p *publisher) serve(pic *picture, served []request, now time.Time) {
	switch {
	case slices.ContainsFunc(served, request.deliberate):
		p.snapshot(pic, served, now)
	case len(served) > 0:
		about := wire.Meta{Bytes: len(pic.bytes()), Image: pic.id}
		p.send(&snapshotMessage{jpeg: pic.bytes(), still: true, results: resultsOf(served, about, now)}, now)
	}
}

// serveNewest answers a request with the newest picture, where it allows one that old and
// the size of it.
func (p *publisher) serveNewest(r request, now time.Time) bool {
	pic, want := p.newest.picture, r.cmd.Size
	switch {
	case r.cmd.MaxAge == 0 || pic == nil || pic.at.Before(r.oldest()),
		want != (wire.Size{}) && want.Pixels() > pic.info.Width*pic.info.Height,
		!pic.fits(p.limit.most()), p.outbox.crowded():
		return false
	}
	p.serve(pic, []request{r}, now)
	return true
}

// snapshot publishes a deliberate picture with the results of all requests.
func (p *publisher) snapshot(pic *picture, served []request, now time.Time) {
	p.seq++
	jpg, first := pic.bytes(), served[slices.IndexFunc(served, request.deliberate)]
	if first.cause == "" {
		first.cause = wire.CauseCommand
	}
	s := &snapshotMessage{
		jpeg: jpg, accepted: first.accepted,
		meta: wire.Meta{
			TS: wire.At(pic.at), Seq: p.seq, Cause: first.cause, ID: first.cmd.ID, Bytes: len(jpg),
			Width: pic.info.Width, Height: pic.info.Height, Warm: !first.cold, TookMS: since(first.at, now), Image: pic.id,
		},
		event: &wire.Event{
			Type: wire.EventSnapshot, TS: wire.At(pic.at), Seq: p.seq, Cause: first.cause, Bytes: len(jpg), Image: pic.id,
		},
	}
	s.results = resultsOf(served, s.meta, now)
	p.send(s, now)
}

func (p *publisher) send(s *snapshotMessage, now time.Time) {
	s.retain = p.demand.settings.on(wire.SetRetainPictures)
	p.outbox.add(delivery{snapshot: s})
	p.preview = now.Add(p.demand.settings.duration(wire.SetPreviewEvery))
	p.changed()
}

// resultsOf returns the results of those requests that were commands. Only a snap's has
// the number of a deliberate picture.
func resultsOf(served []request, about wire.Meta, now time.Time) []wire.Result {
	var all []wire.Result
	for _, r := range served {
		if !r.answered() {
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

// sendLive hands a picture to the live sender unless it is above the rate, and as a preview
// too when one is due.
func (p *publisher) sendLive(pic *picture, now time.Time) {
	if fps := rate.Limit(p.demand.rate()); fps != p.rate.Limit() {
		p.rate.SetLimitAt(now, fps)
	}
	if !p.rate.AllowN(now, 1) {
		return
	}
	msgs := []wire.Message{pic.message(p.message(wire.KindFrame, nil))}
	if !now.Before(p.preview) {
		p.preview = now.Add(p.demand.settings.duration(wire.SetPreviewEvery))
		msgs = append(msgs, pic.message(p.message(wire.KindPreview, nil)))
	}
	p.live.put(livePicture{pic, msgs})
}

// keepLast publishes the last picture of a stream as the retained preview: idle tiles show
// what was last seen.
func (p *publisher) keepLast() {
	pic := p.newest.picture
	if !p.demand.settings.on(wire.SetRetainPictures) || pic == nil || !pic.fits(p.limit.most()) || p.demand.settings.private {
		return
	}
	last := p.message(wire.KindPreview, pic.bytes())
	last.Retained = true
	p.outbox.add(delivery{msgs: []wire.Message{last}, state: true, picture: true})
}
