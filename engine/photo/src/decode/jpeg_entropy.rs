//! A walk over the entropy-coded data of a JPEG file that decodes no pixel and misses none: a file
//! whose data end early, with or without an end marker, is told from a whole one (ITU-T T.81,
//! annexes F and G). Decoders paint the missing part grey instead.

use std::io::{self, BufRead};

use super::Input;
use crate::error::PhotoError;

/// Scans that a file may have; a picture needs ten or so.
const SCAN_LIMIT: usize = 200;

/// Codes of up to this many bits are looked up at once.
const FAST_BITS: u32 = 9;

fn early() -> PhotoError {
    PhotoError::damaged("the data of this JPEG end before the picture does")
}

fn damaged() -> PhotoError {
    PhotoError::damaged("the data of this JPEG are damaged")
}

/// A Huffman table.
#[derive(Debug)]
struct Table {
    /// By the next bits: length and symbol; length 0 for longer codes.
    fast: Vec<(u8, u8)>,
    /// By length: one past the last code, its first code, and the place of its first symbol.
    lengths: [(u32, u32, usize); 17],
    symbols: Vec<u8>,
}

/// What tables and restart interval are in force.
#[derive(Debug, Default)]
pub(super) struct Coding {
    dc: [Option<Table>; 4],
    ac: [Option<Table>; 4],
    pub(super) restart_interval: u32,
}

impl Coding {
    /// Takes in a segment of Huffman tables.
    pub(super) fn read_tables(&mut self, mut segment: &[u8]) -> Result<(), PhotoError> {
        while let Some((head, rest)) = segment.split_first() {
            let counts = rest.first_chunk::<16>().ok_or_else(damaged)?;
            let total: usize = counts.iter().map(|n| usize::from(*n)).sum();
            let symbols = rest.get(16..16 + total).ok_or_else(damaged)?;
            let table = Table::new(counts, symbols)?;
            let bank = if head >> 4 == 0 { &mut self.dc } else { &mut self.ac };
            *bank.get_mut(usize::from(head & 15)).ok_or_else(damaged)? = Some(table);
            segment = rest.get(16 + total..).unwrap_or_default();
        }
        Ok(())
    }
}

impl Table {
    fn new(counts: &[u8; 16], symbols: &[u8]) -> Result<Self, PhotoError> {
        let mut table = Self {
            fast: vec![(0, 0); 1 << FAST_BITS],
            lengths: [(0, 0, 0); 17],
            symbols: symbols.to_vec(),
        };
        let (mut code, mut place) = (0_u32, 0);
        for (index, count) in counts.iter().enumerate() {
            let length = index as u32 + 1;
            let first = code;
            code += u32::from(*count);
            if code > 1 << length {
                return Err(damaged());
            }
            table.lengths[length as usize] = (code, first, place);
            if length <= FAST_BITS {
                for (offset, symbol) in
                    symbols[place..].iter().take(usize::from(*count)).enumerate()
                {
                    let start = (first as usize + offset) << (FAST_BITS - length);
                    let end = start + (1 << (FAST_BITS - length));
                    table.fast[start..end].fill((length as u8, *symbol));
                }
            }
            place += usize::from(*count);
            code <<= 1;
        }
        Ok(table)
    }
}

/// A component of the frame.
#[derive(Clone, Copy, Debug)]
pub(super) struct Component {
    pub(super) id: u8,
    pub(super) across: u8,
    pub(super) down: u8,
}

/// The frame that scans fill.
pub(super) struct Frame<'a> {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) progressive: bool,
    pub(super) components: &'a [Component],
}

/// What the scans so far have told of a component's blocks.
struct Plane {
    component: Component,
    /// Blocks that a scan of this component alone has, across and down.
    blocks: (u32, u32),
    /// Blocks of a row, whole units.
    stride: usize,
    /// For each block of a progressive file, which of its coefficients are not zero.
    masks: Vec<u64>,
}

/// The header of a scan.
struct Scan {
    /// Number of the component, and its tables.
    parts: Vec<(usize, u8, u8)>,
    start: u32,
    end: u32,
    refines: bool,
}

/// The walk: given each scan in turn.
pub(super) struct Walk<'a> {
    frame: &'a Frame<'a>,
    planes: Vec<Plane>,
    /// Interleaved units across and down.
    units: (u32, u32),
    scans: usize,
    /// How often each component's mean was coded for the first time.
    seen: Vec<bool>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(frame: &'a Frame<'a>) -> Result<Self, PhotoError> {
        let most = |pick: fn(&Component) -> u8| {
            u32::from(frame.components.iter().map(pick).max().unwrap_or(1))
        };
        let (most_across, most_down) = (most(|c| c.across), most(|c| c.down));
        if frame
            .components
            .iter()
            .any(|c| !(1..=4).contains(&c.across) || !(1..=4).contains(&c.down))
        {
            return Err(damaged());
        }
        let units = (frame.width.div_ceil(8 * most_across), frame.height.div_ceil(8 * most_down));
        let planes = frame.components.iter().map(|component| {
            let (across, down) = (u32::from(component.across), u32::from(component.down));
            let stride = (units.0 * across) as usize;
            let all = if frame.progressive { stride * (units.1 * down) as usize } else { 0 };
            Plane {
                component: *component,
                blocks: (
                    (frame.width * across).div_ceil(most_across).div_ceil(8),
                    (frame.height * down).div_ceil(most_down).div_ceil(8),
                ),
                stride,
                masks: vec![0; all],
            }
        });
        let planes = planes.collect();
        Ok(Self { frame, planes, units, scans: 0, seen: vec![false; frame.components.len()] })
    }

    /// Whether every component has had its first scan.
    pub(super) fn is_complete(&self) -> bool {
        self.seen.iter().all(|seen| *seen)
    }

    /// Walks over the data behind the scan header `segment` and gives the marker that ends them.
    pub(super) fn scan(
        &mut self,
        segment: &[u8],
        coding: &Coding,
        input: &mut Input<'_>,
    ) -> Result<u8, PhotoError> {
        self.scans += 1;
        if self.scans > SCAN_LIMIT {
            return Err(PhotoError::damaged("this JPEG has more scans than a picture needs"));
        }
        let scan = self.read_header(segment)?;
        if scan.start == 0 && !scan.refines {
            for (part, ..) in &scan.parts {
                self.seen[*part] = true;
            }
        }
        let single = scan.parts.len() == 1;
        let (across, down) = match scan.parts.first() {
            Some((part, ..)) if single => self.planes[*part].blocks,
            _ => self.units,
        };
        let mut bits = Bits { input, held: 0, count: 0, marker: None };
        let mut run = 0;
        let mut to_restart = coding.restart_interval;
        for y in 0..down {
            for x in 0..across {
                if coding.restart_interval > 0 {
                    if to_restart == 0 {
                        bits.restart()?;
                        run = 0;
                        to_restart = coding.restart_interval;
                    }
                    to_restart -= 1;
                }
                for (part, dc, ac) in &scan.parts {
                    let plane = &mut self.planes[*part];
                    let tables = (&coding.dc[usize::from(*dc)], &coding.ac[usize::from(*ac)]);
                    let (h, v) = if single {
                        (1, 1)
                    } else {
                        (u32::from(plane.component.across), u32::from(plane.component.down))
                    };
                    for row in y * v..(y + 1) * v {
                        for column in x * h..(x + 1) * h {
                            if self.frame.progressive {
                                let at = row as usize * plane.stride + column as usize;
                                let mask = plane.masks.get_mut(at).ok_or_else(damaged)?;
                                progressive_block(&mut bits, &scan, tables, mask, &mut run)?;
                            } else {
                                baseline_block(&mut bits, tables)?;
                            }
                        }
                    }
                }
            }
        }
        bits.next_marker()
    }

    fn read_header(&self, segment: &[u8]) -> Result<Scan, PhotoError> {
        let (count, rest) = segment.split_first().ok_or_else(damaged)?;
        let count = usize::from(*count);
        let (parts, rest) = rest.split_at_checked(2 * count).ok_or_else(damaged)?;
        let [start, end, steps, ..] = rest else { return Err(damaged()) };
        let parts = parts.as_chunks::<2>().0.iter().map(|[id, tables]| {
            let part = self.frame.components.iter().position(|c| c.id == *id)?;
            let (dc, ac) = (tables >> 4, tables & 15);
            (dc < 4 && ac < 4).then_some((part, dc, ac))
        });
        let parts = parts.collect::<Option<Vec<_>>>().ok_or_else(damaged)?;
        let scan = Scan {
            parts,
            start: u32::from(*start),
            end: u32::from(*end),
            refines: steps >> 4 != 0,
        };
        let mixed = scan.start == 0 && scan.end != 0 || scan.start > 0 && scan.parts.len() != 1;
        if scan.parts.is_empty()
            || scan.parts.len() > 4
            || (self.frame.progressive && (scan.start > scan.end || scan.end > 63 || mixed))
        {
            return Err(damaged());
        }
        Ok(scan)
    }
}

type Tables<'t> = (&'t Option<Table>, &'t Option<Table>);

fn baseline_block(bits: &mut Bits<'_, '_>, (dc, ac): Tables<'_>) -> Result<(), PhotoError> {
    let (dc, ac) = (dc.as_ref().ok_or_else(damaged)?, ac.as_ref().ok_or_else(damaged)?);
    let size = bits.symbol(dc)?;
    bits.skip(u32::from(size & 15))?;
    let mut k = 1;
    while k < 64 {
        let symbol = bits.symbol(ac)?;
        let (zeros, size) = (u32::from(symbol >> 4), u32::from(symbol & 15));
        if size == 0 && zeros < 15 {
            break;
        }
        bits.skip(size)?;
        k += zeros + 1;
    }
    Ok(())
}

/// One block of one scan; `run` counts the blocks to come that have nothing left in this scan.
fn progressive_block(
    bits: &mut Bits<'_, '_>,
    scan: &Scan,
    (dc, ac): Tables<'_>,
    mask: &mut u64,
    run: &mut u32,
) -> Result<(), PhotoError> {
    if scan.start == 0 {
        if scan.refines {
            return bits.skip(1);
        }
        let size = bits.symbol(dc.as_ref().ok_or_else(damaged)?)?;
        return bits.skip(u32::from(size & 15));
    }
    let ac = ac.as_ref().ok_or_else(damaged)?;
    let mut k = scan.start;
    if *run == 0 {
        while k <= scan.end {
            let symbol = bits.symbol(ac)?;
            let (mut zeros, size) = (u32::from(symbol >> 4), u32::from(symbol & 15));
            if size == 0 && zeros < 15 {
                *run = (1 << zeros) + bits.take(zeros)?;
                break;
            }
            bits.skip(size)?;
            if scan.refines {
                // Past `zeros` coefficients that are zero still; the others get a bit each.
                while k <= scan.end {
                    if *mask >> k & 1 == 1 {
                        bits.skip(1)?;
                    } else if zeros == 0 {
                        break;
                    } else {
                        zeros -= 1;
                    }
                    k += 1;
                }
            } else {
                k += zeros;
            }
            if size != 0 && k <= 63 {
                *mask |= 1 << k;
            }
            k += 1;
        }
    }
    if *run > 0 {
        if scan.refines {
            let ones = (k..=scan.end).filter(|k| *mask >> k & 1 == 1).count();
            for _ in 0..ones {
                bits.skip(1)?;
            }
        }
        *run -= 1;
    }
    Ok(())
}

/// The bits of entropy-coded data, up to the next marker.
struct Bits<'i, 'f> {
    input: &'i mut Input<'f>,
    /// The next `count` bits, from the highest down; zeros behind them.
    held: u64,
    count: u32,
    /// The marker that was reached.
    marker: Option<u8>,
}

impl Bits<'_, '_> {
    fn byte(&mut self) -> Result<u8, PhotoError> {
        let buffer = self.input.fill_buf().map_err(PhotoError::reading)?;
        let Some(byte) = buffer.first().copied() else {
            return Err(PhotoError::reading(io::ErrorKind::UnexpectedEof.into()));
        };
        self.input.consume(1);
        Ok(byte)
    }

    /// A marker, or a byte of data.
    fn item(&mut self) -> Result<Result<u8, u8>, PhotoError> {
        let byte = self.byte()?;
        if byte != 0xFF {
            return Ok(Ok(byte));
        }
        let mut next = 0xFF;
        while next == 0xFF {
            next = self.byte()?;
        }
        Ok(if next == 0 { Ok(0xFF) } else { Err(next) })
    }

    fn fill(&mut self) -> Result<(), PhotoError> {
        while self.count <= 56 && self.marker.is_none() {
            match self.item()? {
                Ok(byte) => {
                    self.held |= u64::from(byte) << (56 - self.count);
                    self.count += 8;
                }
                Err(marker) => self.marker = Some(marker),
            }
        }
        Ok(())
    }

    fn skip(&mut self, count: u32) -> Result<(), PhotoError> {
        self.take(count).map(drop)
    }

    /// The next `count` bits, at most 16.
    fn take(&mut self, count: u32) -> Result<u32, PhotoError> {
        if self.count < count {
            self.fill()?;
            if self.count < count {
                return Err(early());
            }
        }
        if count == 0 {
            return Ok(0);
        }
        let value = (self.held >> (64 - count)) as u32;
        self.held <<= count;
        self.count -= count;
        Ok(value)
    }

    fn symbol(&mut self, table: &Table) -> Result<u8, PhotoError> {
        if self.count < 16 {
            self.fill()?;
        }
        let (length, symbol) = table.fast[(self.held >> (64 - FAST_BITS)) as usize];
        if length != 0 {
            self.skip(u32::from(length))?;
            return Ok(symbol);
        }
        for length in FAST_BITS + 1..=16 {
            let code = (self.held >> (64 - length)) as u32;
            let (end, first, place) = table.lengths[length as usize];
            if code < end && code >= first {
                self.skip(length)?;
                let symbol = table.symbols.get(place + (code - first) as usize);
                return symbol.copied().ok_or_else(damaged);
            }
        }
        // Behind the end there are zeros, which some tables do not know.
        Err(if self.count < 16 { early() } else { damaged() })
    }

    /// To the restart marker that belongs here.
    fn restart(&mut self) -> Result<(), PhotoError> {
        let marker = self.any_marker()?;
        if !(0xD0..=0xD7).contains(&marker) {
            return Err(early());
        }
        Ok(())
    }

    /// To the marker that ends the scan.
    fn next_marker(&mut self) -> Result<u8, PhotoError> {
        loop {
            let marker = self.any_marker()?;
            if !(0xD0..=0xD7).contains(&marker) {
                return Ok(marker);
            }
        }
    }

    fn any_marker(&mut self) -> Result<u8, PhotoError> {
        self.held = 0;
        self.count = 0;
        loop {
            if let Some(marker) = self.marker.take() {
                return Ok(marker);
            }
            if let Err(marker) = self.item()? {
                return Ok(marker);
            }
        }
    }
}
