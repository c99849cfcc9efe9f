package app

import (
	"camqtt/broker"
	"camqtt/dashboard"
	"camqtt/internal/wire"
)

// counters are the embedded broker's, for /metrics.
func (h *hub) counters() []dashboard.Counter {
	s := h.broker.Stats()
	count := func(name, help string, v int64) dashboard.Counter {
		return dashboard.Counter{Name: "broker_" + name, Help: help, Value: float64(v)}
	}
	gauge := func(name, help string, v int64) dashboard.Counter {
		c := count(name, help, v)
		c.Gauge = true
		return c
	}
	all := []dashboard.Counter{
		gauge("clients", "Clients connected now.", s.Clients),
		gauge("sessions", "Sessions of connected and absent clients.", s.Sessions),
		count("accepted_total", "Connections admitted.", s.Accepted),
		count("refused_total", "Connections turned away.", s.Refused),
		count("recovered_total", "Faults that cost one connection.", s.Recovered),
		count("bytes_in_total", "Bytes received.", s.BytesIn),
		count("bytes_out_total", "Bytes sent.", s.BytesOut),
		count("messages_in_total", "Messages received, pictures included.", s.MessagesIn),
		count("messages_out_total", "Messages handed to receivers, pictures included.", s.MessagesOut),
		count("messages_dropped_total", "Ordinary messages that found a receiver's queue full.", s.MessagesDropped),
		count("frames_in_total", "Pictures published.", s.FramesIn),
		count("frames_delivered_total", "Pictures written to receivers.", s.FramesDelivered),
		count("frames_replaced_total", "Pictures that gave way to newer ones.", s.FramesReplaced),
		gauge("retained_messages", "Retained messages.", s.Retained),
		gauge("retained_bytes", "Payload of retained messages.", s.RetainedBytes),
		count("store_writes_total", "Files written by the retained store.", s.StoreWrites),
		count("store_errors_total", "Writes of the retained store that failed.", s.StoreErrors),
	}
	return append(append(all, viewerCounters(s.Viewers)...), cameraCounters(s.Cameras)...)
}

// slow is the part of its pictures that a slow viewer has missed at least.
const slow = 0.1

// viewerCounters are about viewers together. They have no label for each viewer: clients
// choose their names, and there is no bound on them.
func viewerCounters(viewers []broker.ViewerStats) []dashboard.Counter {
	waiting, slowly := 0, 0
	for _, v := range viewers {
		if v.Waiting > 0 {
			waiting++
		}
		if float64(v.Replaced) >= slow*float64(v.Delivered+v.Replaced) && v.Replaced > 0 {
			slowly++
		}
	}
	return []dashboard.Counter{
		{Name: "broker_viewers", Help: "Connections that were sent pictures.", Value: float64(len(viewers)), Gauge: true},
		{Name: "broker_viewers_waiting", Help: "Those of them for which a picture waits now.", Value: float64(waiting), Gauge: true},
		{Name: "broker_viewers_slow", Help: "Those of them for which a tenth of the pictures or more gave way to newer ones.", Value: float64(slowly), Gauge: true},
	}
}

// cameraCounters are what the broker counts of each camera's pictures.
func cameraCounters(cameras []broker.CameraStats) (all []dashboard.Counter) {
	for _, c := range cameras {
		of := func(name, help string, v float64) {
			all = append(all, dashboard.Counter{Name: "broker_camera_" + name, Help: help, Value: v, Camera: wire.ID(c.ID)})
		}
		of("frames_in_total", "Pictures published by the camera.", float64(c.In))
		of("bytes_in_total", "Bytes of those.", float64(c.Bytes))
		of("frames_delivered_total", "Pictures of the camera written to receivers.", float64(c.Delivered))
		of("bytes_delivered_total", "Bytes of those.", float64(c.BytesOut))
		of("frames_replaced_total", "Pictures of the camera that gave way to newer ones.", float64(c.Replaced))
		all = append(all, dashboard.Counter{
			Name: "broker_camera_last_frame_timestamp_seconds", Help: "When the broker took the camera's newest picture, as Unix time.",
			Value: float64(c.Last.UnixMilli()) / 1000, Gauge: true, Camera: wire.ID(c.ID),
		})
	}
	return all
}
