//! Invalid shares: of another length, off the curve, too large, or of small order.

use super::*;

/// Checks that a client that sent a share of this group refuses `from_server`, and that a server
/// refuses `from_client`, on every backend.
#[track_caller]
fn refused_by_both(group: Group, from_server: &[u8], from_client: &[u8], expected: &Illegal) {
    for backend in Backend::all() {
        let client = EphemeralKey::generate_on(backend, group, &mut SystemRandom).unwrap();
        refused(client.agree(from_server).err(), expected);
        refused(
            respond_on(backend, group, from_client, &mut SystemRandom).err(),
            expected,
        );
    }
}

#[test]
fn a_share_of_another_length() {
    // RFC 9846, 4.3.8.2; RFC 10024, "Construction".
    let lengths: [(Group, &[usize], &[usize]); 3] = [
        (
            Group::X25519MlKem768,
            &[0, 31, 32, 65, 1088, 1119, 1121, 1216],
            &[0, 31, 32, 65, 1120, 1184, 1215, 1217],
        ),
        (
            Group::X25519,
            &[0, 1, 31, 33, 64, 1120],
            &[0, 1, 31, 33, 64, 1216],
        ),
        (
            Group::Secp256r1,
            &[0, 1, 32, 33, 64, 66, 97],
            &[0, 1, 32, 33, 64, 66, 97],
        ),
    ];
    for (group, from_server, from_client) in lengths {
        for (from_server, from_client) in from_server.iter().zip(from_client) {
            let malformed = Illegal::KeyShare {
                group: group.code_point(),
            };
            refused_by_both(
                group,
                &vec![4; *from_server],
                &vec![4; *from_client],
                &malformed,
            );
        }
    }
}

/// Returns every encoding of a point of small order (RFC 7748, 6.1), also with the highest bit set,
/// which is masked.
fn small_order() -> Vec<[u8; 32]> {
    let eight = [
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    ];
    let mut points: Vec<_> = eight.map(hex).to_vec();
    for (low, high) in [(0, 0), (1, 0), (0xec, 0xff), (0xed, 0xff), (0xee, 0xff)] {
        let mut point = [high; 32];
        (point[0], point[31]) = (low, high & 0x7f);
        points.push(point);
    }
    let masked = points.clone().into_iter().map(|mut point| {
        point[31] |= 0x80;
        point
    });
    points.extend(masked);
    points
}

/// RFC 9846, 7.4.2; RFC 10024, "Shared secret": "including the all-zero shared secret check for
/// X25519".
#[test]
fn a_point_of_small_order() {
    for point in small_order() {
        refused_by_both(
            Group::X25519,
            &point,
            &point,
            &Illegal::ZeroSharedSecret {
                group: NamedGroup(0x001d),
            },
        );

        let encapsulation_key = EphemeralKey::generate(Group::X25519MlKem768, &mut SystemRandom)
            .unwrap()
            .public()[..1184]
            .to_vec();
        let (from_server, from_client) = (
            [&[7; 1088][..], &point].concat(),
            [&encapsulation_key[..], &point].concat(),
        );
        let zero = Illegal::ZeroSharedSecret {
            group: NamedGroup(0x11ec),
        };
        refused_by_both(Group::X25519MlKem768, &from_server, &from_client, &zero);
    }
}

/// FIPS 203, 7.2, the modulus check: a coefficient of the encapsulation key that is not below 3329
/// is refused, wherever it is.
#[test]
fn a_coefficient_that_is_too_large() {
    let share = EphemeralKey::generate(Group::X25519MlKem768, &mut SystemRandom)
        .unwrap()
        .public()
        .to_vec();
    for backend in Backend::all() {
        for coefficient in [0, 1, 255, 256, 511, 767] {
            for value in [3329_u16, 3330, 4095] {
                let mut share = share.clone();
                // Three bytes hold two coefficients of 12 bits, the low bits first.
                let at = coefficient / 2 * 3;
                if coefficient % 2 == 0 {
                    share[at] = value.to_le_bytes()[0];
                    share[at + 1] = share[at + 1] & 0xf0 | value.to_le_bytes()[1];
                } else {
                    share[at + 1] = share[at + 1] & 0x0f | (value << 4).to_le_bytes()[0];
                    share[at + 2] = (value >> 4).to_le_bytes()[0];
                }
                let malformed = Illegal::KeyShare {
                    group: NamedGroup(0x11ec),
                };
                refused(
                    respond_on(backend, Group::X25519MlKem768, &share, &mut SystemRandom).err(),
                    &malformed,
                );
                refused(
                    respond_on(backend, Group::X25519MlKem768, &share, &mut Seeded(1)).err(),
                    &malformed,
                );
            }
        }
    }
}

/// RFC 9846, 4.3.8.2: "peers MUST validate each other's public value Q by ensuring that the point
/// is a valid point on the elliptic curve".
#[test]
fn what_is_no_point() {
    let good = EphemeralKey::generate(Group::Secp256r1, &mut SystemRandom)
        .unwrap()
        .public()
        .to_vec();
    let mut bad = Vec::new();
    // These are off the curve: (X, Y) with one bit wrong, and (0, 0), which some take for infinity.
    for at in [1, 32, 33, 64] {
        bad.push(good.clone());
        bad.last_mut().unwrap()[at] ^= 1;
    }
    bad.push([&[4][..], &[0; 64]].concat());
    // The point at infinity (SEC 1, 2.3.3) is one byte. The second has that byte as its form.
    bad.push(vec![0]);
    bad.push(vec![0; 65]);
    // These are the compressed form, and the other forms with both coordinates.
    bad.push([&[2 + (good[64] & 1)][..], &good[1..33]].concat());
    for form in [0, 1, 2, 3, 5, 6, 7, 0xff] {
        bad.push([&[form][..], &good[1..]].concat());
    }
    // Coordinates must be "in the correct interval". One of these points has X = 5, the other Y =
    // 5, so that p can be added to it in 32 bytes.
    for [x, y, x_with_p, y_with_p] in [
        [
            "0000000000000000000000000000000000000000000000000000000000000005",
            "459243b9aa581806fe913bce99817ade11ca503c64d9a3c533415c083248fbcc",
            "ffffffff00000001000000000000000000000001000000000000000000000004",
            "459243b9aa581806fe913bce99817ade11ca503c64d9a3c533415c083248fbcc",
        ],
        [
            "d7325d7646cd60d80a92738ceb345f844cffaf35841022cab176f692de8de1d7",
            "0000000000000000000000000000000000000000000000000000000000000005",
            "d7325d7646cd60d80a92738ceb345f844cffaf35841022cab176f692de8de1d7",
            "ffffffff00000001000000000000000000000001000000000000000000000004",
        ],
    ] {
        let [point, same_point] = [(x, y), (x_with_p, y_with_p)]
            .map(|(x, y)| [&[4], &hex::<32>(x)[..], &hex::<32>(y)].concat());
        for backend in Backend::all() {
            respond_on(backend, Group::Secp256r1, &point, &mut SystemRandom).unwrap();
        }
        bad.push(same_point);
    }
    for share in bad {
        refused_by_both(
            Group::Secp256r1,
            &share,
            &share,
            &Illegal::KeyShare {
                group: NamedGroup(0x0017),
            },
        );
    }
}
