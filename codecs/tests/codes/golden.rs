//! Parity of fixed data never changes, or shares written once could not be read again.

use crate::oracle::{Subject, encode, random_shards};

/// Id, k, n, params, and a hash of all parity, shard after shard, for shards of 66 and of 1000
/// bytes, over data of [`random_shards`] with seed 2015.
///
/// These were not made by this crate. A slow program in Python made them, written from
/// docs/FORMAT.md: bytewise exclusive or, and Lagrange interpolation in GF(2^16). Those of rs8 are
/// zfec 1.6's.
const GOLDENS: &[(&str, usize, usize, &str, u64, u64)] = &[
    (
        "copy",
        1,
        3,
        "",
        0xca22_8ca3_4de9_0ac5,
        0xa7a9_3f7e_be61_61c9,
    ),
    (
        "xor",
        2,
        3,
        "1^2",
        0x520f_9546_96c3_fe09,
        0x31b1_029e_d8ff_bfef,
    ),
    (
        "xor",
        4,
        6,
        "1^2^3^4,1^3",
        0x05d0_8df4_a583_6af3,
        0xbc37_b266_c90d_0e78,
    ),
    (
        "xor",
        6,
        10,
        "3^5^6,2^4^6,1^4^5,1^2^3",
        0x0952_4bf2_854a_00e1,
        0x65b2_70b5_00c6_52c1,
    ),
    (
        "rs16",
        1,
        2,
        "high",
        0x8f47_c62f_6700_9e51,
        0x8189_a72e_0190_d267,
    ),
    (
        "rs16",
        1,
        2,
        "low",
        0x8f47_c62f_6700_9e51,
        0x8189_a72e_0190_d267,
    ),
    (
        "rs16",
        2,
        3,
        "high",
        0x520f_9546_96c3_fe09,
        0x31b1_029e_d8ff_bfef,
    ),
    (
        "rs16",
        2,
        3,
        "low",
        0xc7af_2f2e_b67c_97c0,
        0xfe86_1d6e_abea_8637,
    ),
    (
        "rs16",
        4,
        6,
        "high",
        0x8cb2_9b72_e278_3ee9,
        0x5e17_22ee_13d7_a9d4,
    ),
    (
        "rs16",
        4,
        6,
        "low",
        0x7759_19cd_9e71_30fb,
        0x81b5_1b52_2f00_668d,
    ),
    (
        "rs16",
        6,
        10,
        "high",
        0x3d37_f64b_7d09_bc02,
        0xcbd0_762f_d376_81fb,
    ),
    (
        "rs16",
        6,
        10,
        "low",
        0x62f8_8f56_2fff_9419,
        0xadbf_8fe6_1d5d_aaa5,
    ),
    (
        "rs16",
        10,
        14,
        "high",
        0x82ae_7c78_eea1_c732,
        0x6513_e64c_4308_a189,
    ),
    (
        "rs16",
        10,
        14,
        "low",
        0x2523_1f67_d9c0_1453,
        0xd87d_ad2d_bd29_60b3,
    ),
    (
        "rs16",
        3,
        10,
        "high",
        0xb4b7_fb4b_98ba_dd34,
        0x515a_a9da_9b8d_7618,
    ),
    (
        "rs16",
        3,
        10,
        "low",
        0x9ff0_e36e_e50f_6d5c,
        0x6911_db0d_0f24_4103,
    ),
    (
        "rs16",
        20,
        25,
        "high",
        0x3bec_04db_9233_4799,
        0x21f3_9a05_7e75_5438,
    ),
    (
        "rs16",
        20,
        25,
        "low",
        0x6e9e_1569_646c_f1b7,
        0x2827_dd5f_ec67_8fcf,
    ),
    (
        "rs8",
        1,
        2,
        "",
        0x8f47_c62f_6700_9e51,
        0x8189_a72e_0190_d267,
    ),
    (
        "rs8",
        2,
        3,
        "",
        0xe6d3_f323_1cb4_b572,
        0xd479_b45d_2540_fdef,
    ),
    (
        "rs8",
        4,
        6,
        "",
        0x8417_3474_9f76_d05d,
        0x29ed_779f_2e52_8fe2,
    ),
    (
        "rs8",
        6,
        10,
        "",
        0x92a8_e280_5665_40a8,
        0x2958_ec00_6674_25e8,
    ),
    (
        "rs8",
        10,
        14,
        "",
        0x6f75_e01c_2494_f107,
        0xca24_b2f0_341c_725e,
    ),
    (
        "rs8",
        3,
        10,
        "",
        0x95e2_103d_6045_c61c,
        0xf279_381f_9be8_2973,
    ),
    (
        "rs8",
        20,
        25,
        "",
        0x6ac7_9284_ccec_4dc7,
        0x469a_591d_b4a9_70e4,
    ),
    (
        "rs8",
        32,
        64,
        "",
        0x36de_ebdf_1f25_7566,
        0xf4bb_1f7c_d72d_e076,
    ),
    (
        "rs8",
        200,
        256,
        "",
        0x4542_e5a4_d989_845b,
        0x269c_fc84_161a_6ec8,
    ),
];

#[test]
fn parity_is_what_it_was() {
    for &(id, k, n, params, at_66, at_1000) in GOLDENS {
        let code = Subject::new(id, k, n, Some(params)).code;
        let mut coder = code.coder();
        for (len, golden) in [(66, at_66), (1000, at_1000)] {
            let parity = encode(coder.as_mut(), &random_shards(k, len, 2015), n - k);
            assert_eq!(
                fnv1a(parity.iter().flatten()),
                golden,
                "{code:?}, {len} bytes"
            );
        }
    }
}

/// The worked examples of docs/FORMAT.md, section 7.2.
#[test]
fn rs16_is_as_its_documentation_shows() {
    let parity = |rate, data: [Vec<u8>; 2]| {
        let code = Subject::new("rs16", 2, 3, Some(rate)).code;
        encode(code.coder().as_mut(), &data, 1).remove(0)
    };
    let two = || [vec![0x01, 0x02], vec![0x10, 0x20]];
    assert_eq!(parity("high", two()), [0x11, 0x22]);
    assert_eq!(parity("low", two()), [0x4a, 0x38]);

    let counting = parity("low", [(0..66).collect(), (100..166).collect()]);
    assert_eq!(
        counting[..8],
        [0xad, 0xac, 0xaf, 0xae, 0xd9, 0xd8, 0xdb, 0xda]
    );
    assert_eq!(counting[60..], [0xf2, 0xf3, 0xf0, 0xf1, 0xfe, 0x27]);
}

/// The worked example of docs/FORMAT.md, section 7.3.
#[test]
fn rs8_is_as_its_documentation_shows() {
    let code = Subject::new("rs8", 2, 3, None).code;
    let data = [vec![0x01, 0x02], vec![0x10, 0x80]];
    assert_eq!(encode(code.coder().as_mut(), &data, 1), [[0x23, 0x1b]]);
}

/// FNV-1a with 64 bits.
fn fnv1a<'a>(bytes: impl Iterator<Item = &'a u8>) -> u64 {
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
