"""The atomic commits of a Redis store, as Lua scripts, and the names of its keys.

All keys of one shard of one generation share a hash tag, so a script finds them on
one node of a cluster. A script runs alone; Redis checks its memory limit before the
first write of a script and not after, so a script writes all or nothing.

| key | type | what it holds |
|---|---|---|
| `PREFIX:store` | hash | `current`: generation in use; `schema`; `g:N`: generation N |
| `PREFIX:erasures` | hash | tombstone to erased_us (`hemostat forget`); `n`: changes so far |
| `{PREFIX.gNsSS}:records` | hash | entity key to packed record |
| `{PREFIX.gNsSS}:records:state` | hash | `v`: version, `s`: `ShardState`, `c`: last commit's id |
| `{PREFIX.gNsSS}:seen:G` | hash | event key to content hash and telling; ingest generation G |
| `{PREFIX.gNsSS}:seen:state` | hash | the same, and `g:G`: there is an ingest generation G |
"""

from __future__ import annotations

from dataclasses import dataclass

from redis.crc import key_slot

# Lua's unpack takes at most about 8,000 values.
_HEAD = b"""
local stored = redis.call('HMGET', KEYS[1], 'v', 'c')
local version = stored[1] or '0'
if version ~= ARGV[1] then return {version, stored[2] or ''} end
"""

_TAIL = b"""
redis.call('HSET', KEYS[1], 'v', ARGV[2], 's', ARGV[3], 'c', ARGV[4])
return 1
"""

# KEYS: state, records. ARGV: expected version, new version, state, commit id, then key, record, ...
COMMIT_RECORDS = (
    _HEAD
    + b"""
for i = 5, #ARGV, 7000 do
  redis.call('HSET', KEYS[2], unpack(ARGV, i, math.min(i + 6999, #ARGV)))
end
"""
    + _TAIL
)

# KEYS: state, records. ARGV: expected version, new version, state, commit id, then keys.
DELETE_RECORDS = (
    _HEAD
    + b"""
for i = 5, #ARGV, 7000 do
  redis.call('HDEL', KEYS[2], unpack(ARGV, i, math.min(i + 6999, #ARGV)))
end
"""
    + _TAIL
)

# KEYS: register. ARGV: tombstone, erased_us. Times stay below 2^53, so Lua compares them exactly.
ERASURE_CHANGES = b"n"
ADD_ERASURE = b"""
local held = redis.call('HGET', KEYS[1], ARGV[1])
if held and tonumber(held) >= tonumber(ARGV[2]) then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('HINCRBY', KEYS[1], 'n', 1)
return 1
"""

# KEYS: state, then a hash per generation written, then hashes to drop.
# ARGV: expected version, new version, state, commit id, number of generations written, number
# of generations dropped, then of each written its number and how many values it gets, then
# the numbers of those dropped, then all values.
COMMIT_SEEN = (
    _HEAD
    + b"""
local n_written = tonumber(ARGV[5])
local n_dropped = tonumber(ARGV[6])
local at = 7 + 2 * n_written + n_dropped
for g = 1, n_written do
  local n_values = tonumber(ARGV[6 + 2 * g])
  for i = at, at + n_values - 1, 7000 do
    redis.call('HSET', KEYS[1 + g], unpack(ARGV, i, math.min(i + 6999, at + n_values - 1)))
  end
  at = at + n_values
  redis.call('HSET', KEYS[1], 'g:' .. ARGV[5 + 2 * g], '1')
end
for d = 1, n_dropped do
  redis.call('UNLINK', KEYS[1 + n_written + d])
  redis.call('HDEL', KEYS[1], 'g:' .. ARGV[6 + 2 * n_written + d])
end
"""
    + _TAIL
)

# KEYS: pairs of source and copy. ARGV: seconds after which a copy ends by itself.
COPY_KEYS = b"""
for i = 1, #KEYS, 2 do
  redis.call('COPY', KEYS[i], KEYS[i + 1])
  redis.call('EXPIRE', KEYS[i + 1], ARGV[1])
end
return 1
"""


@dataclass(frozen=True, slots=True)
class ShardKeys:
    """The keys of one shard of one generation.

    Attributes:
        slot: Their hash slot in a cluster.
        records: See the module's table; so are the others.
        records_state: ...
        seen_state: ...
        seen: Beginning of the keys of the seen hashes.
    """

    slot: int
    records: bytes
    records_state: bytes
    seen_state: bytes
    seen: bytes

    @classmethod
    def of(cls, prefix: str, generation: int, shard: int) -> ShardKeys:
        """Return the keys of a shard.

        >>> ShardKeys.of("shop", 1, 3).records
        b'{shop.g1s03}:records'
        """
        tag = f"{{{prefix}.g{generation}s{shard:02d}}}:".encode()
        return cls(
            slot=key_slot(tag),
            records=tag + b"records",
            records_state=tag + b"records:state",
            seen_state=tag + b"seen:state",
            seen=tag + b"seen:",
        )

    def get_seen(self, ingest_generation: int) -> bytes:
        """Return the key of one generation of seen event keys."""
        return self.seen + str(ingest_generation).encode()
