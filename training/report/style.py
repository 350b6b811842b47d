"""How the report looks: on a screen, on a phone, in the dark and on paper."""

from __future__ import annotations

from typing import Final

STYLE: Final = """
:root{color-scheme:light dark;--ink:#1d2327;--soft:#5a646c;--rule:#e2e6ea;--card:#fff;
--ground:#f5f7f9;--one:#2b67a3;--two:#c2452d;--mark:#8a5a00;--up:#c2452d;--down:#2b67a3;--flat:#8b949b;--warn:#fff4d6}
@media(prefers-color-scheme:dark){:root{--ink:#e6e9ec;--soft:#a0aab2;--rule:#333b42;--card:#1c2226;
--ground:#14191c;--one:#6aa9e6;--two:#f0826a;--mark:#e0b050;--up:#f0826a;--down:#6aa9e6;--flat:#7d868d;
--warn:#3a3016}}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--ink);
font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","Noto Sans CJK SC",
"PingFang SC","Microsoft YaHei",sans-serif}a{color:var(--one)}
main{max-width:1240px;margin:0 auto;padding:20px 16px 48px}
h1{font-size:1.75rem;line-height:1.2;margin:0}h2{font-size:1.35rem;margin:2.6rem 0 .2rem}
h3{font-size:1rem;margin:0 0 .3rem}p{margin:.4rem 0;max-width:78ch}
header{display:flex;flex-wrap:wrap;gap:8px 24px;justify-content:space-between;align-items:baseline}
.switch{font-size:.9rem}.switch label{cursor:pointer;padding:.15rem .3rem}
.soft,figcaption,.note{color:var(--soft)}
.warn{background:var(--warn);border-radius:8px;padding:.5rem .8rem;max-width:none}
nav{display:flex;flex-wrap:wrap;gap:6px;margin:14px 0 4px}
nav a{background:var(--card);border:1px solid var(--rule);border-radius:999px;padding:.2rem .75rem;
text-decoration:none;color:var(--one);font-size:.9rem}
code{font:.92em ui-monospace,Consolas,Menlo,monospace;overflow-wrap:anywhere}
.tiles{display:grid;grid-template-columns:repeat(7,1fr);gap:10px;margin:14px 0}
.tiles.many{grid-template-columns:repeat(5,1fr)}
.tile,figure,.panel{background:var(--card);border:1px solid var(--rule);border-radius:10px}
.tile{padding:10px 12px}.tile .name{font-size:.82rem;color:var(--soft)}
.tile data{display:block;font-size:1.45rem;font-weight:600;line-height:1.25;
font-variant-numeric:tabular-nums}
.tile .bounds{font-size:.82rem;font-variant-numeric:tabular-nums}.tile .note{font-size:.78rem}
.plots{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,350px),1fr));gap:12px;
align-items:start}
figure{margin:0;padding:12px 14px;break-inside:avoid}figcaption{font-size:.84rem;line-height:1.42}
svg{display:block;width:100%;height:auto;margin:2px 0 6px}
.t{font-size:11.5px;fill:var(--soft)}.mid{text-anchor:middle}.end{text-anchor:end}
.axis{fill:var(--ink)}text.name{font-size:10.5px}.inside{fill:#fff}
.grid{stroke:var(--rule);fill:none}.ref{stroke:var(--soft);stroke-dasharray:4 4;fill:none;
stroke-width:1.2}.mark{stroke:var(--mark);stroke-width:1.6;fill:none}
.line{fill:none;stroke-width:2}.line.one{stroke:var(--one)}.line.two{stroke:var(--two)}
.line.ref{stroke-width:1.2}
.band{stroke:none;opacity:.18}.band.one{fill:var(--one)}.band.two{fill:var(--two)}
.bar{stroke-width:2;fill:none}.bar.one{stroke:var(--one)}.bar.all{stroke:var(--ink)}
.point.one{fill:var(--one)}.point.all{fill:var(--ink)}
.dot{fill:var(--mark);stroke:var(--card);stroke-width:1.5}
.heap{opacity:.62}.heap.one{fill:var(--one)}.heap.two{fill:var(--two)}
.up{fill:var(--up)}.down{fill:var(--down)}.flat{fill:var(--flat)}
.scroll{overflow-x:auto;-webkit-overflow-scrolling:touch}
table{border-collapse:collapse;font-size:.88rem;font-variant-numeric:tabular-nums}
td,th{padding:.35rem .9rem .35rem 0;text-align:left;border-bottom:1px solid var(--rule);
vertical-align:top;white-space:nowrap}
th{font-weight:600;white-space:normal}
.panel{padding:4px 16px 10px;margin:10px 0}.card h2{font-size:1.15rem;margin:1.2rem 0 .2rem}
.card h3{margin-top:.9rem}.card li{max-width:88ch}
details{margin:12px 0}summary{cursor:pointer;color:var(--one)}
footer{margin-top:3rem;color:var(--soft);font-size:.85rem}
body:has(#en:checked) [lang="zh-CN"],body:has(#zh-CN:checked) [lang="en"]{display:none}
.drivers{grid-row:span 2}
@media(max-width:1000px){.tiles,.tiles.many{grid-template-columns:repeat(auto-fill,minmax(160px,1fr))}}
@media(max-width:480px){h1{font-size:1.4rem}main{padding:14px 12px 32px}
.tiles,.tiles.many{grid-template-columns:1fr 1fr}.tile data{font-size:1.2rem}figure{padding:10px}
.t{font-size:12.5px}text.name{font-size:10.5px}}
@media print{:root{color-scheme:light;--ground:#fff;--card:#fff;--ink:#000;--soft:#444;--rule:#ccc}
body{font-size:11px}main{max-width:none;padding:0}.switch,nav{display:none}
.plots{grid-template-columns:1fr 1fr}h2{break-after:avoid}section{break-before:page}
.scroll{overflow:visible}.tile,figure,.panel{break-inside:avoid}@page{margin:12mm}}
"""
