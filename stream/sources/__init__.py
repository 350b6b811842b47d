"""Where events come from: files, the embedded log, Kafka; all partitioned and replayable."""
