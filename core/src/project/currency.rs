//! ISO 4217: the codes in use and how many decimal digits each has.

/// Currencies with two digits.
const TWO: &str = "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN \
    BWP BYN BZD CAD CDF CHF CNY COP CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS \
    GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL \
    MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP \
    PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT \
    TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG";

/// Currencies without decimal digits.
const NONE: &str = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF";

/// Currencies with three digits.
const THREE: &str = "BHD IQD JOD KWD LYD OMR TND";

/// Decimal digits of a currency; `None` for a code that is not in use.
pub(super) fn digits(code: &str) -> Option<u8> {
    let lists = [(NONE, 0), (TWO, 2), (THREE, 3)];
    let of = |list: &str| list.split_whitespace().any(|known| known == code);
    lists
        .into_iter()
        .find_map(|(list, digits)| of(list).then_some(digits))
}

/// All codes in use.
pub(super) fn codes() -> impl Iterator<Item = &'static str> + Clone {
    [TWO, NONE, THREE]
        .into_iter()
        .flat_map(str::split_whitespace)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_well_formed_and_listed_once() {
        let mut all: Vec<&str> = codes().collect();
        assert!(
            all.iter()
                .all(|c| c.len() == 3 && c.bytes().all(|b| b.is_ascii_uppercase()))
        );
        all.sort_unstable();
        let count = all.len();
        all.dedup();
        assert_eq!(all.len(), count);
        assert_eq!(
            (digits("JPY"), digits("USD"), digits("KWD")),
            (Some(0), Some(2), Some(3))
        );
        assert_eq!(digits("XYZ"), None);
    }
}
