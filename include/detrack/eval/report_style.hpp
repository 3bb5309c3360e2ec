// The style sheet of reports: light and dark, screens of any width, paper.
#pragma once

namespace detrack::detail {

inline constexpr const char* kReportStyle = R"css(
:root{color-scheme:light dark;--page:#fbfbfa;--card:#fff;--text:#1c1c1a;--soft:#5c5b57;--rule:#dddbd5;--grid:#e9e7e1;
--shade:#e4e1d8;--c0:#0066b3;--c1:#c2500a;--c2:#00795c;--c3:#a03c87;--c4:#7d6608;--c5:#55565a}
@media(prefers-color-scheme:dark){:root{--page:#161615;--card:#1f1f1d;--text:#ecebe7;--soft:#a9a7a0;--rule:#3a3935;
--grid:#2f2e2b;--shade:#38362f;--c0:#5ab0f0;--c1:#f0894a;--c2:#3cc39b;--c3:#e08cca;--c4:#d9bd4a;--c5:#b5b5b2}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--text);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main,header,footer{max-width:75rem;margin:0 auto;padding:0 1.25rem}
header{padding-top:2rem}
h1{font-size:1.75rem;line-height:1.2;margin:0 0 .35rem;overflow-wrap:anywhere}
h2{font-size:1.25rem;margin:2.5rem 0 .75rem}
h3{font-size:1.05rem;margin:0;overflow-wrap:anywhere}
p{margin:.25rem 0 .75rem;max-width:48rem}
a{color:inherit;text-decoration-color:var(--soft);text-underline-offset:.15em}
.soft,figcaption{color:var(--soft)}
nav{display:flex;flex-wrap:wrap;gap:.25rem 1.25rem;padding:.5rem 0;border-bottom:1px solid var(--rule)}
.card{background:var(--card);border:1px solid var(--rule);border-radius:.5rem;padding:1rem}
dl.facts{display:grid;grid-template-columns:max-content 1fr;gap:.1rem 1rem;margin:.75rem 0}
dl.facts dt{color:var(--soft)}dl.facts dd{margin:0;overflow-wrap:anywhere}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(8.5rem,1fr));gap:.75rem;margin:1.25rem 0 0}
dl.tiles div{display:flex;flex-direction:column-reverse;background:var(--card);border:1px solid var(--rule);border-radius:.5rem;padding:.6rem .9rem}
.tiles dd{margin:0;font-size:1.6rem;font-weight:600;line-height:1.25;font-variant-numeric:tabular-nums}
.tiles dt{color:var(--soft);font-size:.875rem}
.scroll{overflow-x:auto;background:var(--card);border:1px solid var(--rule);border-radius:.5rem}
table{border-collapse:separate;border-spacing:0;width:100%;font-variant-numeric:tabular-nums}
th,td{padding:.35rem .9rem;text-align:right;white-space:nowrap;border-top:1px solid var(--rule)}
thead th{border-top:0;font-weight:600;vertical-align:bottom}
th:first-child{text-align:left;font-weight:400;position:sticky;left:0;background:var(--card);min-width:8rem;max-width:20rem;
white-space:normal;overflow-wrap:break-word}
thead th:first-child{font-weight:600}
.card table{font-size:.875rem}.card th,.card td{padding:.3rem}.card th:first-child{min-width:0}
tfoot th:first-child,tfoot td,td.best{font-weight:700}
tfoot tr:first-child>*{border-top:2px solid var(--soft)}
.three{display:grid;grid-template-columns:repeat(auto-fit,minmax(19rem,1fr));gap:1rem}
.three+p{margin-top:.75rem}.three+h3{margin-top:1.25rem}h3+.three{margin-top:.5rem}
figure{margin:0;min-width:0}
figure.card>figcaption{font-weight:600;color:var(--text);margin-bottom:.25rem}
svg{display:block;width:100%}
svg.curves{height:auto}
svg text{fill:var(--soft);font-size:13px;font-family:inherit}
svg path{fill:none}
.grid{stroke:var(--grid);stroke-width:1;vector-effect:non-scaling-stroke}
.half{stroke:var(--soft);stroke-width:1;stroke-dasharray:2 4;vector-effect:non-scaling-stroke;opacity:.7}
svg path.missing,svg path.counts{fill:var(--shade)}
.mark{stroke:var(--soft);stroke-width:2;vector-effect:non-scaling-stroke}
.line{stroke-width:2;stroke-linejoin:round;stroke-linecap:round;vector-effect:non-scaling-stroke}
.time .line{stroke-width:1.5}
.dots{stroke-width:8;stroke-linecap:round;vector-effect:non-scaling-stroke}
.band{stroke:none;opacity:.22;shape-rendering:crispEdges}
path.c0{stroke:var(--c0)}path.c1{stroke:var(--c1)}path.c2{stroke:var(--c2)}path.c3{stroke:var(--c3)}
path.c4{stroke:var(--c4)}path.c5{stroke:var(--c5)}
path.band.c0{fill:var(--c0)}path.band.c1{fill:var(--c1)}path.band.c2{fill:var(--c2)}path.band.c3{fill:var(--c3)}
path.band.c4{fill:var(--c4)}path.band.c5{fill:var(--c5)}
i.c0{background:var(--c0)}i.c1{background:var(--c1)}i.c2{background:var(--c2)}i.c3{background:var(--c3)}
i.c4{background:var(--c4)}i.c5{background:var(--c5)}
.d1{stroke-dasharray:8 5}.d2{stroke-dasharray:2 4}.d3{stroke-dasharray:10 4 2 4}.d4{stroke-dasharray:14 5}
.d5{stroke-dasharray:5 3}.d6{stroke-dasharray:10 4 2 4 2 4}
ul.legend{list-style:none;margin:.5rem 0 0;padding:0;font-size:.9rem}
ul.legend li{display:flex;align-items:center;gap:.6rem;min-width:0}
ul.legend svg{flex:none;width:2.25rem;height:.75rem}
ul.legend span{flex:1;min-width:0;overflow-wrap:anywhere}
ul.legend b{font-variant-numeric:tabular-nums}
ul.legend.inline{display:flex;flex-wrap:wrap;gap:.1rem 1.5rem;margin:0 0 .75rem}
ul.legend.inline span{flex:none;max-width:100%}
.bars{list-style:none;margin:0}
.bars li{display:grid;grid-template-columns:minmax(6rem,26%) 1fr 3rem;column-gap:.9rem;align-items:center;break-inside:avoid}
.bars .name{overflow-wrap:break-word;min-width:0;line-height:1.25;padding:.2rem 0}
.bars .track{display:grid;align-content:center;align-self:stretch;gap:2px;padding:.25rem 0;border-right:1px solid var(--rule);
background:repeating-linear-gradient(to right,var(--rule) 0 1px,transparent 1px 25%)}
.bars i{display:block;height:.85rem;border-radius:0 3px 3px 0;min-width:1px}
.bars .several i{height:.5rem}
.bars b{font-weight:400;text-align:right;font-variant-numeric:tabular-nums}
.bars .axis{color:var(--soft);font-size:.8125rem}
.bars .axis .ticks{display:flex;justify-content:space-between;margin:0 -.6rem 0 -.2rem}
details>summary{cursor:pointer;padding:.25rem 0}
ul.rules{margin:.25rem 0;padding-left:1.2rem;columns:28rem;column-gap:2.5rem}
ul.rules li{break-inside:avoid;margin-bottom:.3rem}
.warnings{border-left:4px solid var(--c1);padding:.25rem 0 .25rem .9rem;margin:1rem 0;overflow-wrap:anywhere}
.warnings ul{margin:.25rem 0;padding-left:1.2rem}
section.sequence{margin:0 0 1.25rem}
.head{display:flex;flex-wrap:wrap;align-items:baseline;gap:.1rem 1rem;margin-bottom:.5rem}
.over{display:grid;grid-template-columns:2.9rem 1fr;font-size:.8125rem;color:var(--soft);padding-top:.4em}
.over svg{height:7.5rem;overflow:visible}
.over .y{display:flex;flex-direction:column;justify-content:space-between;text-align:right;padding-right:.4rem;line-height:1.2;
margin:-.6em 0}
.over .x{grid-column:2;display:flex;justify-content:space-between;padding-top:.25rem}
.film{display:grid;grid-template-columns:repeat(auto-fill,minmax(10.5rem,1fr));gap:.6rem;margin:.75rem 0 0}
.film img{display:block;width:100%;height:auto;border-radius:.25rem;background:var(--shade)}
.film figcaption{font-size:.8125rem;line-height:1.4;display:flex;justify-content:space-between;gap:.5rem}
footer{padding-top:1rem;padding-bottom:2.5rem;font-size:.875rem;color:var(--soft)}
@media(max-width:32rem){main,header,footer{padding-left:.9rem;padding-right:.9rem}header{padding-top:1.25rem}
h1{font-size:1.4rem}.card{padding:.75rem}.tiles{grid-template-columns:1fr 1fr;gap:.5rem}th,td{padding:.35rem .6rem}
.film{grid-template-columns:1fr 1fr}.bars li{grid-template-columns:1fr 3rem}.bars .name{grid-column:1/-1;padding:.35rem 0 0}
.bars .axis>span:first-child{display:none}table{font-size:.875rem}.over svg{height:6rem}th:first-child{max-width:9rem}}
@media print{.scroll{overflow:visible}section.sequence,figure{break-inside:avoid}}
)css";

}  // namespace detrack::detail
