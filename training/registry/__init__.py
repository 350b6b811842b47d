"""The registry of a tenant's models: who serves, who may, who decided it, and the way back.

```
BUNDLES/<version>/       bundles, each named by the first 12 digits of its version
BUNDLES/current          link to the champion: the one that servers load
BUNDLES/registry.jsonl   the journal: each train, promote, refuse, rollback; hash-chained
```

The link is the truth about what serves, the journal about why. `promotion` is the
page to read first; `gates` decides, `layout` and `journal` write.
"""
