//! Tests of sketch and decoder together.

use super::*;
use proptest::prelude::*;
use rand::rngs::ChaCha8Rng;
use rand::{Rng, SeedableRng};
use std::collections::BTreeSet;

const KEY: [u8; 16] = *b"a key for tests!";

fn draw(rng: &mut ChaCha8Rng) -> Guid {
    let mut guid = Guid::default();
    rng.fill_bytes(&mut guid.0);
    guid
}

/// The symbols of `items` items that nobody has drawn before, and these items.
fn encoded(rng: &mut ChaCha8Rng, items: usize, prefix: usize) -> (Vec<Symbol>, BTreeSet<Guid>) {
    let set: BTreeSet<Guid> = (0..items).map(|_| draw(rng)).collect();
    let hasher = SipHasher24::new_with_key(&KEY);
    let mut symbols = vec![Symbol::default(); prefix];
    set.iter().for_each(|guid| add(&mut symbols, 0, &Item::new(&hasher, *guid)));
    (symbols, set)
}

fn sketch_of<'a>(set: impl IntoIterator<Item = &'a Guid> + Clone, prefix: usize) -> Sketch {
    let mut sketch = Sketch::new(&KEY);
    set.clone().into_iter().for_each(|guid| sketch.insert(*guid));
    sketch.grow(prefix, set.into_iter().copied());
    sketch
}

fn set_of(guids: &[Guid]) -> BTreeSet<Guid> {
    let set: BTreeSet<Guid> = guids.iter().copied().collect();
    assert_eq!(set.len(), guids.len(), "none twice");
    set
}

#[test]
fn bytes_are_frozen() {
    let mut sketch = Sketch::new(&KEY);
    assert_eq!((sketch.root(), sketch.count(), sketch.change(), sketch.prefix()), ([0; 16], 0, 0, MIN_PREFIX));
    for n in 0..100 {
        sketch.insert(Guid([n; 16]));
    }
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    // Computed by a second implementation, in another language.
    assert_eq!(hex(&sketch.root()), "f0ab2ba6c248cdb8fa5183068e2f2d85");
    let symbols = sketch.symbols_at(100, 0..MIN_PREFIX).unwrap();
    let shown = |index: usize| format!("{} {:016x}", hex(&symbols[index].sum), symbols[index].check);
    assert_eq!(shown(0), "00000000000000000000000000000000 368cd5abbd3a7422");
    assert_eq!(shown(43), "16161616161616161616161616161616 7b42ace35adce793");
    assert_eq!(shown(1014), "34343434343434343434343434343434 8b8d4178df678893");
    assert!(symbols[1015..].iter().all(Symbol::is_zero));
    let estimator: Estimator = [
        -2, -14, -4, 18, -6, -10, 8, 10, -24, 18, -4, 2, 14, -20, -10, 8, 6, 4, -14, -6, 0, -12, 2, 6, -12, 16, 8, 6,
        8, -6, -14, 4, 6, 6, -8, -4,
    ];
    assert_eq!(sketch.estimator_at(100), Some(estimator));
}

#[test]
fn removal_undoes_insertion() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let guids: Vec<Guid> = (0..200).map(|_| draw(&mut rng)).collect();
    let mut sketch = sketch_of(&guids[..100], 0);
    let before = (sketch.root(), sketch.count(), sketch.estimator_at(100), sketch.symbols.clone());
    guids[100..].iter().for_each(|guid| sketch.insert(*guid));
    assert_ne!(before.0, sketch.root());
    guids[100..].iter().for_each(|guid| sketch.remove(*guid));
    assert_eq!(before, (sketch.root(), sketch.count(), sketch.estimator_at(300), sketch.symbols.clone()));
    assert_eq!(sketch.change(), 300);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn rewound_is_as_it_was(
        ops in prop::collection::vec((any::<bool>(), any::<u64>()), 1..400),
        grow_at in 0..400usize,
        start in 0..3000usize,
        len in 0..1000usize,
    ) {
        let mut sketch = Sketch::new(&KEY);
        let mut set = BTreeSet::new();
        let mut sets = vec![set.clone()];
        for (step, (remove, number)) in ops.into_iter().enumerate() {
            if step == grow_at {
                sketch.grow(4096, set.iter().copied());
            }
            match set.iter().nth(number as usize % set.len().max(1)).copied() {
                Some(guid) if remove => {
                    set.remove(&guid);
                    sketch.remove(guid);
                }
                _ => {
                    let guid = draw(&mut ChaCha8Rng::seed_from_u64(number));
                    if !set.insert(guid) {
                        continue;
                    }
                    sketch.insert(guid);
                }
            }
            sets.push(set.clone());
        }
        sketch.grow(4096, set.iter().copied());
        for (change, set) in sets.iter().enumerate().step_by(7) {
            let (fresh, change, range) = (sketch_of(set, 4096), change as u64, start..start + len);
            let now = fresh.change();
            prop_assert_eq!(sketch.estimator_at(change), fresh.estimator_at(now));
            prop_assert_eq!(sketch.symbols_at(change, range.clone()), fresh.symbols_at(now, range));
        }
    }

    #[test]
    fn hostile_symbols_neither_loop_nor_swell(
        pool in prop::collection::vec((any::<bool>(), any::<[u8; 16]>(), any::<u64>()), 1..8),
        picks in prop::collection::vec(any::<u8>(), 1..400),
        chunk in 1..100usize,
    ) {
        let hasher = SipHasher24::new_with_key(&KEY);
        let made = pool.into_iter().map(|(valid, sum, check)| {
            if valid { Item::new(&hasher, Guid(sum)).symbol() } else { Symbol { sum, check } }
        });
        let pool: Vec<Symbol> = made.chain([Symbol::default()]).collect();
        let symbols: Vec<Symbol> = picks.iter().map(|pick| pool[usize::from(*pick) % pool.len()]).collect();
        let mut decoder = Decoder::new(&KEY);
        for chunk in symbols.chunks(chunk) {
            decoder.extend(chunk.iter().copied());
        }
        prop_assert!(set_of(decoder.peeled()).len() <= symbols.len());
    }
}

#[test]
fn what_left_the_ring_or_is_to_come_is_none() {
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let guids: Vec<Guid> = (0..UNDO + 100).map(|_| draw(&mut rng)).collect();
    let sketch = sketch_of(&guids, 0);
    let ask = |change| {
        let symbols = sketch.symbols_at(change, 0..44).is_some();
        assert_eq!(sketch.estimator_at(change).is_some(), symbols);
        symbols
    };
    assert!(!ask(99) && ask(100) && ask(UNDO as u64 + 100) && !ask(UNDO as u64 + 101) && !ask(0) && !ask(u64::MAX));
    assert_eq!(sketch.symbols_at(100, 0..44), sketch_of(&guids[..100], 0).symbols_at(100, 0..44));
    let now = sketch.change();
    assert_eq!(sketch.symbols_at(now, 1000..MIN_PREFIX + 1), None, "beyond the prefix");
    #[expect(clippy::reversed_empty_ranges, reason = "a peer may ask for it")]
    let backwards = sketch.symbols_at(now, 7..3);
    assert_eq!(backwards, None);
    assert_eq!(sketch.symbols_at(now, 7..7), Some(Vec::new()));
}

#[test]
fn a_prefix_grows_and_never_shrinks() {
    let wanted: Vec<usize> = [0, 512, 513, 1024, 32_768, 32_769, u64::MAX].map(Sketch::wanted_prefix).into();
    assert_eq!(wanted, [1024, 1024, 2048, 2048, 65_536, 65_536, 65_536]);
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let guids: Vec<Guid> = (0..2000).map(|_| draw(&mut rng)).collect();
    let mut sketch = sketch_of(&guids, 4096);
    let (symbols, change) = (sketch.symbols.clone(), sketch.change());
    sketch.grow(2048, []);
    assert_eq!((&sketch.symbols, sketch.change()), (&symbols, change));
    sketch.grow(usize::MAX, guids.iter().copied());
    assert_eq!(sketch.prefix(), MAX_PREFIX);
    let mut early = Sketch::new(&KEY);
    early.grow(MAX_PREFIX, []);
    guids.iter().for_each(|guid| early.insert(*guid));
    assert_eq!(early.symbols, sketch.symbols, "grown before or after, it is the same");
}

#[test]
fn two_stores_find_both_directions() {
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    let guids: Vec<Guid> = (0..5000).map(|_| draw(&mut rng)).collect();
    let (ours, theirs) = (sketch_of(&guids[..4993], 0), sketch_of(&guids[7..], 0));
    let symbols = |sketch: &Sketch| sketch.symbols_at(sketch.change(), 0..44).unwrap();
    let mut decoder = Decoder::new(&KEY);
    decoder.extend(difference(&symbols(&ours), &symbols(&theirs)));
    assert!(decoder.is_done());
    assert_eq!(set_of(decoder.peeled()), guids[..7].iter().chain(&guids[4993..]).copied().collect());
}

#[test]
fn equal_sets_are_done_at_once() {
    let mut decoder = Decoder::new(&KEY);
    assert!(!decoder.is_done(), "nothing came yet");
    decoder.extend([Symbol::default(); 44]);
    assert!(decoder.is_done() && !decoder.is_failed() && decoder.peeled().is_empty());
}

#[test]
fn one_digest_settles_14_differences_in_99_of_100() {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let trials = 20_000;
    let mut settled = 0;
    for _ in 0..trials {
        let (symbols, set) = encoded(&mut rng, 14, 44);
        let mut decoder = Decoder::new(&KEY);
        decoder.extend(symbols);
        assert!(!decoder.is_failed() && set_of(decoder.peeled()).is_subset(&set));
        if decoder.is_done() {
            assert_eq!(decoder.peeled().len(), 14);
            settled += 1;
        }
    }
    assert!(settled * 100 >= trials * 99, "{settled} of {trials}");
}

/// The mean of the least number of symbols that decode, a difference.
fn overhead(seed: u64, differences: usize, trials: usize, step: usize) -> f64 {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut total = 0;
    for _ in 0..trials {
        // Now and then two items share their first few hundred symbols.
        let (symbols, set) = encoded(&mut rng, differences, differences * 2 + 2000);
        let mut decoder = Decoder::new(&KEY);
        for chunk in symbols.chunks(step) {
            decoder.extend(chunk.iter().copied());
            if decoder.is_done() {
                break;
            }
        }
        assert_eq!(set_of(decoder.peeled()), set);
        total += decoder.symbols();
    }
    total as f64 / trials as f64 / differences as f64
}

#[test]
fn symbols_per_difference_hold_their_bounds() {
    for (differences, trials, step, bound) in [(64, 400, 1, 1.60), (1000, 60, 4, 1.42), (10_000, 8, 20, 1.38)] {
        let mean = overhead(6, differences, trials, step);
        println!("{differences}: {mean:.3}");
        assert!(mean <= bound, "{differences}: {mean}");
        assert!(mean >= 1.3, "too good to be true: {mean}");
    }
}

#[test]
fn no_difference_is_in_the_tail() {
    // A weak mixer left 1 to 3 of 100 of these undecoded while its mean looked right.
    for (differences, trials) in [(256, 2000), (1000, 1000)] {
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        for trial in 0..trials {
            let (symbols, set) = encoded(&mut rng, differences, differences * 11 / 5 + 120);
            let mut decoder = Decoder::new(&KEY);
            decoder.extend(symbols);
            assert!(decoder.is_done(), "{differences}, trial {trial}: {} peeled", decoder.peeled().len());
            assert_eq!(set_of(decoder.peeled()), set);
        }
    }
}

#[test]
fn rounds_of_asking_end() {
    let mut rng = ChaCha8Rng::seed_from_u64(8);
    for differences in [0u64, 20, 100, 1000, 5000] {
        let (symbols, set) = encoded(&mut rng, differences as usize, MAX_PREFIX);
        let mut decoder = Decoder::new(&KEY);
        let mut wanted = symbols_wanted(differences / 2);
        let mut rounds = 0;
        while !decoder.is_done() {
            decoder.extend(symbols[decoder.symbols()..wanted].iter().copied());
            wanted = more_symbols_wanted(wanted);
            rounds += 1;
        }
        assert_eq!(set_of(decoder.peeled()), set);
        assert!(rounds <= 12, "{differences}: {rounds}");
    }
    assert_eq!([0, 10, 1000, u64::MAX].map(symbols_wanted), [20, 34, 1420, MAX_PREFIX]);
    assert_eq!([0, 44, 800, MAX_PREFIX].map(more_symbols_wanted), [47, 91, 900, MAX_PREFIX]);
}

#[test]
fn the_estimator_errs_by_a_quarter() {
    let mut rng = ChaCha8Rng::seed_from_u64(9);
    for differences in [1u64, 10, 100, 1000] {
        let trials = 300;
        let (mut sum, mut squares) = (0.0, 0.0);
        for _ in 0..trials {
            let (mut ours, mut theirs) = (Sketch::new(&KEY), Sketch::new(&KEY));
            (0..50).map(|_| draw(&mut rng)).for_each(|guid| {
                ours.insert(guid);
                theirs.insert(guid);
            });
            (0..differences).for_each(|n| if n % 4 == 0 { &mut ours } else { &mut theirs }.insert(draw(&mut rng)));
            let estimators = [&ours, &theirs].map(|sketch| sketch.estimator_at(sketch.change()).unwrap());
            let ratio = estimate(&estimators[0], &estimators[1]) as f64 / differences as f64;
            sum += ratio;
            squares += (ratio - 1.0).powi(2);
        }
        let (mean, error) = (sum / f64::from(trials), (squares / f64::from(trials)).sqrt());
        println!("{differences}: mean {mean:.3}, error {error:.3}");
        assert!((0.93..1.07).contains(&mean), "{differences}: {mean}");
        assert!(error < 0.28, "{differences}: {error}");
    }
    assert_eq!(estimate(&[i16::MIN; ESTIMATORS], &[i16::MAX; ESTIMATORS]), 1, "counters wrap");
    assert_eq!(estimate(&[i16::MIN; ESTIMATORS], &[0; ESTIMATORS]), 1 << 30);
}

#[test]
fn what_was_peeled_counts_where_the_rest_is_stuck() {
    let mut rng = ChaCha8Rng::seed_from_u64(10);
    let mut some = 0;
    for _ in 0..100 {
        let (symbols, set) = encoded(&mut rng, 40, 44);
        let mut decoder = Decoder::new(&KEY);
        decoder.extend(symbols);
        assert!(set_of(decoder.peeled()).is_subset(&set) && !decoder.is_failed());
        some += usize::from(!decoder.peeled().is_empty() && !decoder.is_done());
    }
    assert!(some > 10, "{some}");
}

#[test]
fn a_wrong_key_decodes_nothing() {
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    let (symbols, _) = encoded(&mut rng, 10, 1000);
    let mut decoder = Decoder::new(b"a different key!");
    decoder.extend(symbols);
    assert!(!decoder.is_done() && decoder.peeled().is_empty());
}

#[test]
fn an_insider_who_makes_symbols_up_fails() {
    let mut rng = ChaCha8Rng::seed_from_u64(12);
    let item = |rng: &mut ChaCha8Rng| Item::new(&SipHasher24::new_with_key(&KEY), draw(rng));
    // All equal and valid: the item is mapped to some of them and takes itself off, then shows itself again elsewhere.
    let same = item(&mut rng).symbol();
    // Valid, each in a symbol of its own: most are not mapped to where they are.
    let anywhere: Vec<Symbol> = (0..MAX_PREFIX).map(|_| item(&mut rng).symbol()).collect();
    let noise: Vec<Symbol> = (0..MAX_PREFIX).map(|_| Symbol { sum: draw(&mut rng).0, check: rng.next_u64() }).collect();
    for (symbols, fails) in [(vec![same; MAX_PREFIX], true), (anywhere, true), (noise, false)] {
        let mut decoder = Decoder::new(&KEY);
        decoder.extend(symbols.iter().copied());
        decoder.extend(symbols.iter().copied());
        assert_eq!((decoder.symbols(), decoder.is_done(), decoder.is_failed()), (MAX_PREFIX, false, fails));
        assert!(decoder.peeled().len() <= 1, "{}", decoder.peeled().len());
    }
    // An item in but one of its symbols: taken off the others, it would show there, and so on for ever.
    let mut symbols = [Symbol::default(); 100];
    symbols[0] = same;
    let mut decoder = Decoder::new(&KEY);
    decoder.extend(symbols);
    assert!(decoder.is_failed() && decoder.peeled().is_empty());
    // An item that is missing in later symbols.
    let mut decoder = Decoder::new(&KEY);
    decoder.extend([same]);
    assert!(decoder.is_done());
    decoder.extend([Symbol::default(); 1000]);
    assert!(decoder.is_failed() && !decoder.is_done() && decoder.peeled().len() == 1);
    // An item that shows in a later symbol again after it was peeled.
    let again = item(&mut rng);
    let mut symbols = [Symbol::default(); 100];
    add(&mut symbols[..], 0, &again);
    let mut decoder = Decoder::new(&KEY);
    decoder.extend(symbols[..44].iter().copied());
    assert!(decoder.is_done());
    decoder.extend(symbols[44..].iter().map(|symbol| if symbol.is_zero() { again.symbol() } else { *symbol }));
    assert!(decoder.is_failed() && !decoder.is_done());
    assert_eq!(decoder.peeled().len(), 1, "what was found before still counts");
}
